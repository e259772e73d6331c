"""Checkpoints: whole or not there, the last one only, of this training or refused; and trainings resumed from them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.neural.ranks import run_ranks
from tests.neural.samples import ALONE, MemoryFeed, network, recipe, spec, two_tastes

from nightreel.errors import ConfigurationError, DataError
from nightreel.neural.feed import Batch, Feed, open_feed
from nightreel.neural.process import Process
from nightreel.neural.spec import TrainingSpec
from nightreel.neural.training import train
from nightreel.neural.training.checkpoint import Checkpoint, Checkpoints, Epoch
from nightreel.neural.training.learner import Learner
from nightreel.neural.training.loop import Loop
from nightreel.neural.training.objective import RatingObjective


def after(*losses: float) -> Checkpoint:
    """Of a network of one weight, which counts the epochs."""
    history = tuple(
        Epoch(number=place + 1, train_loss=1 / 3, validation_loss=loss, seconds=0.1, rows_per_second=1e6)
        for place, loss in enumerate(losses)
    )
    now, best = float(len(losses)), float(losses.index(min(losses)) + 1)
    return Checkpoint(history, {"w": torch.tensor([now])}, {"w": torch.tensor([best])}, {"s": torch.tensor(now)})


@pytest.fixture
def checkpoints(tmp_path: Path) -> Checkpoints:
    return Checkpoints(tmp_path / "run", spec(tmp_path), world_size=1)


def test_there_is_none_at_first(checkpoints: Checkpoints) -> None:
    assert checkpoints.last() is None
    checkpoints.clear()


@pytest.mark.parametrize("losses", [(0.9,), (0.9, 0.7), (0.9, 0.7, 0.8)])
def test_what_comes_back_is_what_was_written(checkpoints: Checkpoints, losses: tuple[float, ...]) -> None:
    checkpoints.write(after(*losses))
    found = checkpoints.last()
    assert found is not None
    assert found.history == after(*losses).history
    for part in ("model", "best", "optimiser"):
        written, read = getattr(after(*losses), part), getattr(found, part)
        assert written.keys() == read.keys() and all(torch.equal(written[key], read[key]) for key in written)


def test_only_the_last_is_kept(checkpoints: Checkpoints, tmp_path: Path) -> None:
    for losses in ((0.9,), (0.9, 0.8), (0.9, 0.8, 0.7)):
        checkpoints.write(after(*losses))
    assert [folder.name for folder in (tmp_path / "run" / "checkpoints").iterdir()] == ["epoch-00003"]


def test_one_that_was_cut_short_is_no_checkpoint(
    checkpoints: Checkpoints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints.write(after(0.9))

    def full_disk(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("nightreel.neural.training.checkpoint.write_text", full_disk)
        with pytest.raises(OSError, match="No space left"):
            checkpoints.write(after(0.9, 0.8))
    found = checkpoints.last()
    assert found is not None and len(found.history) == 1
    checkpoints.write(after(0.9, 0.8))
    assert [folder.name for folder in (tmp_path / "run" / "checkpoints").iterdir()] == ["epoch-00002"]


def test_one_that_cannot_be_read_is_named_and_not_passed_over(checkpoints: Checkpoints, tmp_path: Path) -> None:
    checkpoints.write(after(0.9))
    (tmp_path / "run" / "checkpoints" / "epoch-00001" / "model.safetensors").write_bytes(b"{}")
    with pytest.raises(DataError, match=r"epoch-00001: the checkpoint cannot be read: "):
        checkpoints.last()


@pytest.mark.parametrize(
    ("changed", "processes", "complaint"),
    [
        ({"changes": {"batch_size": 32}}, 1, r"^resume: recipe\.batch_size is 32 and was 64 when .*epoch-00001 was "),
        ({"seed": 2}, 1, r"^resume: seed is 2 and was 1 when "),
        ({}, 2, r"^resume: processes is 2 and was 1 when "),
    ],
)
def test_one_of_another_training_is_refused(
    checkpoints: Checkpoints, tmp_path: Path, changed: dict[str, object], processes: int, complaint: str
) -> None:
    checkpoints.write(after(0.9))
    with pytest.raises(ConfigurationError, match=complaint):
        Checkpoints(tmp_path / "run", spec(tmp_path, **changed), world_size=processes).last()


def test_a_run_may_move_and_resume(checkpoints: Checkpoints, tmp_path: Path) -> None:
    checkpoints.write(after(0.9))
    moved = spec(tmp_path).model_copy(update={"folder": "elsewhere", "resume": True})
    assert Checkpoints(tmp_path / "run", moved, world_size=1).last() is not None


class Killing:
    """A feed that kills its process in the third epoch, as the system does when memory is short: no handler runs."""

    def __init__(self, feed: Feed) -> None:
        self._feed, self.rows, self.steps = feed, feed.rows, feed.steps

    def epoch(self, number: int) -> Iterator[Batch]:
        for step, batch in enumerate(self._feed.epoch(number)):
            if (number, step) == (2, self.steps // 2):
                os.kill(os.getpid(), signal.SIGKILL)
            yield batch

    def close(self) -> None:
        self._feed.close()


def train_until_killed(settings: TrainingSpec) -> None:
    def killing(*arguments: Any, **named: Any) -> Killing:
        return Killing(open_feed(*arguments, **named))

    train.open_feed = killing
    train.train(settings)


def test_killed_in_an_epoch_and_resumed_it_ends_with_the_same_bits(tmp_path: Path) -> None:
    """With dropout, warm-up, a plateau schedule and patience, all of which depend on the history."""
    changes = {"epochs": 6, "patience": 4, "warmup_steps": 30, "schedule": "plateau", "table_l2": 0.01}
    whole = spec(tmp_path, changes=changes)
    undisturbed = train.train(whole)
    killed = whole.model_copy(update={"folder": str(tmp_path / "killed")})
    (ended,) = run_ranks(train_until_killed, killed, world_size=1)
    assert ended.exit_code == -signal.SIGKILL
    assert [folder.name for folder in (tmp_path / "killed" / "checkpoints").iterdir()] == ["epoch-00002"]
    assert not (tmp_path / "killed" / "model.json").exists()
    resumed = train.train(killed.model_copy(update={"resume": True}))
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
