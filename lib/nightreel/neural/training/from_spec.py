"""The parts of a training that its specification describes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import torch

from nightreel.neural.feed import Feed, open_feed
from nightreel.neural.networks.item_text import read_item_text
from nightreel.neural.networks.network import Network
from nightreel.neural.networks.neumf import Neumf
from nightreel.neural.networks.registry import build, wants_text
from nightreel.neural.training.loop import Validation
from nightreel.neural.training.objective import ClippedSquares, ImplicitObjective, Objective, RatingObjective
from nightreel.neural.training.process_group import Process
from nightreel.neural.training.spec import TrainingSpec
from nightreel.neural.training.survey import every_row
from nightreel.neural.training.unseen_items import UnseenItems


@contextmanager
def feeds(spec: TrainingSpec, process: Process) -> Iterator[tuple[Feed, Feed | None]]:
    """Of the rows to train on and, where there are any, of those to validate on; closed in the end."""
    with closing(_feed(spec, spec.train, process, shuffle=True)) as train:
        if not spec.validation:
            yield train, None
            return
        with closing(_feed(spec, spec.validation, process, shuffle=False)) as validation:
            yield train, validation


def network(spec: TrainingSpec, device: torch.device) -> Network[Any]:
    """Before training, the same on every rank."""
    text = read_item_text(spec.item_text, items=spec.domain.items) if wants_text(spec.network) else None
    return build(spec.network, spec.network_params(), spec.domain, seed=spec.seed, text=text).to(device)


def objective(spec: TrainingSpec, network: Network[Any], device: torch.device) -> Objective:
    """What is minimised."""
    if isinstance(network, Neumf) and network.implicit:
        return _implicit(spec, network, spec.train, device)
    return RatingObjective(network, spec.recipe)


def validation(spec: TrainingSpec, network: Network[Any], feed: Feed | None, device: torch.device) -> Validation | None:
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
