"""From a specification to a trained network in a folder."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch

from nightreel.neural.feed import Feed
from nightreel.neural.networks.network import Network
from nightreel.neural.networks.storage import save_network
from nightreel.neural.networks.whole_files import write_text
from nightreel.neural.training import from_spec
from nightreel.neural.training.checkpoint import Checkpoints
from nightreel.neural.training.freed_memory import keep_freed_memory
from nightreel.neural.training.history import Epoch, best_place
from nightreel.neural.training.learner import Learner
from nightreel.neural.training.loop import Fitted, Loop
from nightreel.neural.training.process_group import Process, process_group
from nightreel.neural.training.resuming import begin
from nightreel.neural.training.spec import TrainingSpec
from nightreel.settings.sections import PositiveInt, Section

OUTCOME = "outcome.json"


class Outcome(Section):
    """What a training came to, the same on every rank; also in the folder, as outcome.json."""

    network: str
    folder: str
    """Where model.safetensors and model.json lie; load_network reads them."""
    rows: PositiveInt
    """Trained on in an epoch, over all ranks."""
    processes: PositiveInt
    device: str
    best_epoch: PositiveInt
    """The one whose weights were kept."""
    validation_loss: float | None
    """After that epoch: mean squared error of the clipped predictions, or cross-entropy in the implicit mode."""
    history: tuple[Epoch, ...]


def train(spec: TrainingSpec) -> Outcome:
    """Train as one rank of those that torchrun or TorchDistributor started, or alone.

    Raises
    ------
    ConfigurationError : a setting is not allowed, or is not that of the checkpoint to go on from
    DataError : files cannot be read or do not fit together
    NightreelError : the loss is not finite
    """
    with process_group(spec.device) as process, _random_numbers(process.device):
        if process.device.type == "cpu":
            keep_freed_memory()
        network = from_spec.network(spec, process.device)
        with from_spec.feeds(spec, process) as (feed, held_out):
            fitted = _fit(spec, network, feed, held_out, process)
            outcome = _outcome(spec, fitted.history, process, rows=feed.rows)
        if process.first:
            _save(network, fitted, outcome)
        return outcome


def _fit(spec: TrainingSpec, network: Network[Any], feed: Feed, held_out: Feed | None, process: Process) -> Fitted:
    objective = from_spec.objective(spec, network, process.device)
    checkpoints = Checkpoints(Path(spec.folder), spec, world_size=process.world_size)
    loop = Loop(
        Learner(objective, spec.recipe, process, precision=spec.precision),
        feed,
        from_spec.validation(spec, network, held_out, process.device),
        recipe=spec.recipe,
        process=process,
        seed=spec.seed,
        checkpoints=checkpoints,
    )
    begin(loop, checkpoints, process, resume=spec.resume)
    return loop.run()


def _outcome(spec: TrainingSpec, history: tuple[Epoch, ...], process: Process, *, rows: int) -> Outcome:
    best = history[best_place(history)]
    return Outcome(
        network=spec.network,
        folder=spec.folder,
        rows=rows,
        processes=process.world_size,
        device=_named(process.device),
        best_epoch=best.number,
        validation_loss=best.validation_loss,
        history=history,
    )


def _save(network: Network[Any], fitted: Fitted, outcome: Outcome) -> None:
    network.load_state_dict(dict(fitted.best))
    save_network(network, Path(outcome.folder))
    write_text(Path(outcome.folder) / OUTCOME, outcome.model_dump_json(indent=2) + "\n")


def _random_numbers(device: torch.device) -> AbstractContextManager[None]:
    """torch's generators are as before in the end: a training must not change what its caller draws."""
    return torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])


def _named(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
