"""A killed training goes on to the very weights of one that was left alone."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from tests.neural.network_samples import network
from tests.neural.processes import run_alone
from tests.neural.training_samples import ALONE, MemoryFeed, recipe, spec, two_tastes

from nightreel.errors import DataError
from nightreel.neural.process import Process
from nightreel.neural.training.checkpoint import Checkpoints
from nightreel.neural.training.learner import Learner
from nightreel.neural.training.loop import Loop
from nightreel.neural.training.objective import RatingObjective
from nightreel.neural.training.spec import TrainingSpec
from nightreel.neural.training.train import Outcome

SCRIPT = str(Path(__file__).with_name("killed_training.py"))


def outcome_of(settings: TrainingSpec, folder: Path) -> Outcome:
    """Trained by the command, in a process as the killed one was."""
    (folder / "spec.json").write_text(settings.model_dump_json(), encoding="utf-8")
    ended = run_alone(["-m", "nightreel.neural.training", "--spec", str(folder / "spec.json")])
    assert ended.returncode == 0, ended.stderr
    return Outcome.model_validate_json((Path(settings.folder) / "outcome.json").read_text(encoding="utf-8"))


def test_killed_in_an_epoch_and_resumed_it_ends_with_the_same_bits(tmp_path: Path) -> None:
    """With dropout, warm-up, a plateau schedule and patience, all of which have to remember where they were."""
    changes = {"epochs": 6, "patience": 4, "warmup_steps": 30, "schedule": "plateau", "table_l2": 0.01}
    whole = spec(tmp_path, changes=changes)
    undisturbed = outcome_of(whole, tmp_path)
    killed = whole.model_copy(update={"folder": str(tmp_path / "killed")})
    (tmp_path / "killed.json").write_text(killed.model_dump_json(), encoding="utf-8")
    ended = run_alone([SCRIPT, str(tmp_path / "killed.json")])
    assert ended.returncode == -signal.SIGKILL
    assert [folder.name for folder in (tmp_path / "killed" / "checkpoints").iterdir()] == ["epoch-00002"]
    assert not (tmp_path / "killed" / "model.json").exists()
    resumed = outcome_of(killed.model_copy(update={"resume": True}), tmp_path)
    assert [(epoch.train_loss, epoch.validation_loss) for epoch in resumed.history] == [
        (epoch.train_loss, epoch.validation_loss) for epoch in undisturbed.history
    ]
    weights = [(tmp_path / run / "model.safetensors").read_bytes() for run in ("run", "killed")]
    assert weights[0] == weights[1]


class SeesNothing(Process):
    """A rank whose folder is empty while the other's has a checkpoint after three epochs."""

    def minimum(self, *_: object) -> list[float]:
        return [0.0, -3.0]


def test_ranks_that_do_not_share_the_folder_are_told_so(tmp_path: Path) -> None:
    process = SeesNothing(ALONE.rank, 2, ALONE.device)
    checkpoints = Checkpoints(tmp_path / "run", spec(tmp_path), world_size=2)
    learner = Learner(RatingObjective(network("mf"), recipe()), recipe(), process, precision="fp32")
    loop = Loop(learner, MemoryFeed(two_tastes(), 64), None, seed=1, checkpoints=checkpoints)
    with pytest.raises(DataError, match=r"^resume: rank 0 sees a checkpoint after epoch 0, another rank one after epo"):
        loop.begin(resume=True)
