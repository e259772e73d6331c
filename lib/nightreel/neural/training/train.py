"""From a specification to a trained network in a folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

import torch

from nightreel.neural.feed import Batch, Feed, open_feed
from nightreel.neural.networks.item_text import read_item_text
from nightreel.neural.networks.network import Network
from nightreel.neural.networks.storage import build, save_network, wants_text, write_text
from nightreel.neural.networks.tower_networks import Neumf
from nightreel.neural.process import Process, keep_freed_memory, process_group
from nightreel.neural.training.checkpoint import Checkpoints, begin
from nightreel.neural.training.learner import Learner
from nightreel.neural.training.loop import Epoch, Fitted, Loop, Validation, best_place
from nightreel.neural.training.objective import (
    ClippedSquares,
    ImplicitObjective,
    Objective,
    RatingObjective,
    UnseenItems,
)
from nightreel.neural.training.spec import TrainingSpec
from nightreel.settings.sections import PositiveInt, Section


@contextmanager
def feeds(spec: TrainingSpec, process: Process) -> Iterator[tuple[Feed, Feed | None]]:
    """Of the rows to train on and, where there are any, of those to validate on; closed in the end."""
    with closing(_feed(spec, spec.train, process, shuffle=True)) as train:
        if not spec.validation:
            yield train, None
            return
        with closing(_feed(spec, spec.validation, process, shuffle=False)) as validation:
            yield train, validation


def network_of(spec: TrainingSpec, device: torch.device) -> Network[Any]:
    """Before training, the same on every rank."""
    text = read_item_text(spec.item_text, items=spec.domain.items) if wants_text(spec.network) else None
    return build(spec.network, spec.network_params(), spec.domain, seed=spec.seed, text=text).to(device)


def objective_of(spec: TrainingSpec, network: Network[Any], device: torch.device) -> Objective:
    """What is minimised."""
    if isinstance(network, Neumf) and network.implicit:
        return _implicit(spec, network, spec.train, device)
    return RatingObjective(network, spec.recipe)


def validation_of(
    spec: TrainingSpec, network: Network[Any], feed: Feed | None, device: torch.device
) -> Validation | None:
    """What the epochs are judged by."""
    if feed is None:
        return None
    if isinstance(network, Neumf) and network.implicit:
        # An item that the user likes in the held-out rows is no negative of theirs.
        return Validation(_implicit(spec, network, spec.train + spec.validation, device), feed)
    return Validation(ClippedSquares(network), feed)


def _implicit(spec: TrainingSpec, network: Neumf, seen: Sequence[str], device: torch.device) -> ImplicitObjective:
    unseen = _unseen_items(spec, seen, device)
    return ImplicitObjective(network, network.params, unseen, seed=spec.seed)


def _feed(spec: TrainingSpec, files: Sequence[str], process: Process, *, shuffle: bool) -> Feed:
    return open_feed(
        files,
        mode=spec.feed,
        batch_size=spec.recipe.batch_size,
        rank=process.rank,
        world_size=process.world_size,
        seed=spec.seed,
        device=process.device,
        shuffle=shuffle,
    )


def _unseen_items(spec: TrainingSpec, files: Sequence[str], device: torch.device) -> UnseenItems:
    """Of all users: a rank's negatives must avoid also what other ranks train on."""
    batches = [(batch.users, batch.items) for batch in every_row(files)]
    users, items = (torch.cat(parts) for parts in zip(*batches, strict=True))
    return UnseenItems(users, items, n_users=spec.domain.users, n_items=spec.domain.items).to(device)


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
        network = network_of(spec, process.device)
        with feeds(spec, process) as (feed, held_out):
            fitted = _fit(spec, network, feed, held_out, process)
            outcome = _outcome(spec, fitted.history, process, rows=feed.rows)
        if process.first:
            _save(network, fitted, outcome)
        return outcome


def _fit(spec: TrainingSpec, network: Network[Any], feed: Feed, held_out: Feed | None, process: Process) -> Fitted:
    objective = objective_of(spec, network, process.device)
    checkpoints = Checkpoints(Path(spec.folder), spec, world_size=process.world_size)
    loop = Loop(
        Learner(objective, spec.recipe, process, precision=spec.precision),
        feed,
        validation_of(spec, network, held_out, process.device),
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


_ROWS_AT_ONCE = 1 << 20


def every_row(files: Sequence[str]) -> Iterator[Batch]:
    """All rows of the files, in order and on the CPU, whatever the rank."""
    feed = open_feed(
        files,
        mode="stream",
        batch_size=_ROWS_AT_ONCE,
        rank=0,
        world_size=1,
        seed=0,
        device=torch.device("cpu"),
        shuffle=False,
    )
    with closing(feed):
        yield from feed.epoch(0)
