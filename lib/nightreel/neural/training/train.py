"""From a specification to a trained network in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack, closing
from pathlib import Path
from typing import Any

import torch

from nightreel.neural.feed import Feed, every_row, open_feed
from nightreel.neural.networks.item_text import read_item_text
from nightreel.neural.networks.network import Network
from nightreel.neural.networks.storage import build, needs_text, save_network, write_text
from nightreel.neural.networks.tower_networks import Neumf
from nightreel.neural.process import Process, keep_freed_memory, process_group
from nightreel.neural.training.checkpoint import Checkpoints, Epoch, best_place
from nightreel.neural.training.learner import Learner
from nightreel.neural.training.loop import Loop
from nightreel.neural.training.objective import (
    ClippedSquares,
    ImplicitObjective,
    Objective,
    RatingObjective,
    UnseenItems,
)
from nightreel.neural.training.spec import TrainingSpec
from nightreel.settings.sections import PositiveInt, Section

OUTCOME = "outcome.json"


class Outcome(Section):
    """The result of a training, the same on every rank; also in the folder, as outcome.json."""

    network: str
    folder: str
    """Of model.safetensors and model.json; load_network reads them."""
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
    ConfigurationError : a setting is not allowed, or is not that of the checkpoint to resume from
    DataError : files cannot be read or do not fit together
    NightreelError : the loss is not finite
    """
    with process_group(spec.device) as process, _random_numbers(process.device):
        # In a function of its own: the module wrapped for the group must be gone before the group ends.
        return _train(spec, process)


def _train(spec: TrainingSpec, process: Process) -> Outcome:
    if process.device.type == "cpu":
        keep_freed_memory()
    network = _network(spec, process.device)
    learner = Learner(_objective(spec, network, process.device), spec.recipe, process, precision=spec.precision)
    with ExitStack() as feeds:
        feed = feeds.enter_context(closing(_feed(spec, spec.train, process, shuffle=True)))
        validation = None
        if spec.validation:
            held_out = feeds.enter_context(closing(_feed(spec, spec.validation, process, shuffle=False)))
            validation = _measure(spec, network, process.device), held_out
        checkpoints = Checkpoints(Path(spec.folder), spec, world_size=process.world_size)
        loop = Loop(learner, feed, validation, seed=spec.seed, checkpoints=checkpoints)
        loop.begin(resume=spec.resume)
        loop.run()
    outcome = _outcome(spec, loop.history, process, rows=feed.rows)
    if process.first:
        network.load_state_dict(dict(loop.best))
        save_network(network, Path(spec.folder))
        write_text(Path(spec.folder) / OUTCOME, outcome.model_dump_json(indent=2) + "\n")
    return outcome


def _random_numbers(device: torch.device) -> AbstractContextManager[None]:
    """torch's generators are as before in the end: a training must not change what its caller draws."""
    return torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])


def _network(spec: TrainingSpec, device: torch.device) -> Network[Any]:
    """Before training, the same on every rank."""
    text = read_item_text(spec.item_text, items=spec.domain.items) if needs_text(spec.network) else None
    return build(spec.network, spec.network_params(), spec.domain, seed=spec.seed, text=text).to(device)


def _feed(spec: TrainingSpec, files: Sequence[str], process: Process, *, shuffle: bool) -> Feed:
    size = spec.recipe.batch_size
    return open_feed(files, process, mode=spec.feed, batch_size=size, seed=spec.seed, shuffle=shuffle)


def _objective(spec: TrainingSpec, network: Network[Any], device: torch.device) -> Objective:
    """What is minimised."""
    if isinstance(network, Neumf) and network.implicit:
        return _implicit(spec, network, spec.train, device)
    return RatingObjective(network, spec.recipe)


def _measure(spec: TrainingSpec, network: Network[Any], device: torch.device) -> Objective:
    """What the epochs are judged by."""
    if isinstance(network, Neumf) and network.implicit:
        # An item that the user likes in the held-out rows is no negative of theirs.
        return _implicit(spec, network, spec.train + spec.validation, device)
    return ClippedSquares(network)


def _implicit(spec: TrainingSpec, network: Neumf, seen: Sequence[str], device: torch.device) -> ImplicitObjective:
    """Its negatives avoid the items seen in these files, on whatever rank they are trained on."""
    batches = [(batch.users, batch.items) for batch in every_row(seen)]
    users, items = (torch.cat(parts) for parts in zip(*batches, strict=True))
    unseen = UnseenItems(users, items, n_users=spec.domain.users, n_items=spec.domain.items).to(device)
    return ImplicitObjective(network, network.params, unseen, seed=spec.seed)


def _outcome(spec: TrainingSpec, history: tuple[Epoch, ...], process: Process, *, rows: int) -> Outcome:
    best = history[best_place(history)]
    return Outcome(
        network=spec.network,
        folder=spec.folder,
        rows=rows,
        processes=process.world_size,
        device=torch.cuda.get_device_name(process.device) if process.device.type == "cuda" else "cpu",
        best_epoch=best.number,
        validation_loss=best.validation_loss,
        history=history,
    )
