"""What the epochs of a training came to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from nightreel.neural.training.recipe import Recipe
from nightreel.settings.sections import PositiveInt, Section


class Epoch(Section):
    """One epoch, over all ranks."""

    number: PositiveInt
    train_loss: float
    """Mean loss of the epoch's entries, each as its step found it."""
    validation_loss: float | None
    """Mean squared error of the clipped predictions, or cross-entropy in the implicit mode; None without validation."""
    seconds: float
    """Of training, without validation and checkpoint."""
    rows_per_second: float


History: TypeAlias = Sequence[Epoch]


def best_place(history: History) -> int:
    """Where the epoch to keep stands: the first of the lowest validation loss, or the last where there is none."""
    losses = [epoch.validation_loss for epoch in history]
    known = [loss for loss in losses if loss is not None]
    return losses.index(min(known)) if known else len(history) - 1


def is_over(history: History, recipe: Recipe) -> bool:
    """Whether all epochs are done or patience is at its end."""
    if len(history) >= recipe.epochs:
        return True
    waited = len(history) - 1 - best_place(history)
    return bool(history) and 0 < recipe.patience <= waited
