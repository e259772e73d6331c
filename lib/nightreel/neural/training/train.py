"""From a specification to a trained network in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

import torch

from nightreel.neural.feed import every_row, open_feed
from nightreel.neural.networks.item_text import read_item_text
from nightreel.neural.networks.network import Network
from nightreel.neural.networks.storage import build, save_network, write_text
from nightreel.neural.networks.tower_networks import Neumf
from nightreel.neural.process import Process, keep_freed_memory, process_group
from nightreel.neural.spec import TrainingSpec, checked, needs_text
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
from nightreel.settings.sections import PositiveInt, Section


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
    with ExitStack() as stack:
        process = stack.enter_context(process_group(spec.device))
        # A training must not change what its caller draws from torch's generators.
        stack.enter_context(torch.random.fork_rng([process.device] if process.device.type == "cuda" else []))
        # In a function of its own: the module wrapped for the group must be gone before the group ends.
        return _train(spec, process)


def _train(spec: TrainingSpec, process: Process) -> Outcome:
    if process.device.type == "cpu":
        keep_freed_memory()
    text = read_item_text(spec.item_text, items=spec.domain.items) if needs_text(spec.network) else None
    params = checked(spec.network, spec.params)
    network = build(spec.network, params, spec.domain, seed=spec.seed, text=text).to(process.device)
    objective = _objective(spec, network, seen=spec.train, of_ratings=RatingObjective(network, spec.recipe))
    learner = Learner(objective, spec.recipe, process, precision=spec.precision)
    opened = partial(open_feed, process=process, mode=spec.feed, batch_size=spec.recipe.batch_size, seed=spec.seed)
    with ExitStack() as feeds:
        feed = feeds.enter_context(closing(opened(spec.train)))
        validation = None
        if spec.validation:
            held_out = feeds.enter_context(closing(opened(spec.validation, shuffle=False)))
            # An item that the user likes in the held-out rows is no negative of theirs.
            seen = spec.train + spec.validation
            validation = _objective(spec, network, seen=seen, of_ratings=ClippedSquares(network)), held_out
        checkpoints = Checkpoints(Path(spec.folder), spec, world_size=process.world_size)
        loop = Loop(learner, feed, validation, seed=spec.seed, checkpoints=checkpoints)
        loop.begin(resume=spec.resume)
        loop.run()
    best = loop.history[best_place(loop.history)]
    outcome = Outcome(
        network=spec.network,
        folder=spec.folder,
        rows=feed.rows,
        processes=process.world_size,
        device=torch.cuda.get_device_name(process.device) if process.device.type == "cuda" else "cpu",
        best_epoch=best.number,
        validation_loss=best.validation_loss,
        history=loop.history,
    )
    if process.first:
        network.load_state_dict(dict(loop.best))
        save_network(network, Path(spec.folder))
        write_text(Path(spec.folder) / "outcome.json", outcome.model_dump_json(indent=2) + "\n")
    return outcome


def _objective(spec: TrainingSpec, network: Network[Any], *, seen: Sequence[str], of_ratings: Objective) -> Objective:
    """The one given, or in the implicit mode one whose negatives avoid the items that any rank sees in the files."""
    if not isinstance(network, Neumf) or not network.implicit:
        return of_ratings
    batches = [(batch.users, batch.items) for batch in every_row(seen)]
    users, items = (torch.cat(parts) for parts in zip(*batches, strict=True))
    unseen = UnseenItems(users, items, n_users=spec.domain.users, n_items=spec.domain.items)
    return ImplicitObjective(network, network.params, unseen.to(network.gmf.device), seed=spec.seed)
