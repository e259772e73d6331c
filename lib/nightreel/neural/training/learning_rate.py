"""How the learning rates change over the steps: a function of the step and of the losses so far, without a state."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate

from nightreel.neural.training.recipe import Recipe


def rate_factor(recipe: Recipe, *, step: int, steps_an_epoch: int, losses: Sequence[float | None]) -> float:
    """What the recipe's rates are multiplied by.

    Parameters
    ----------
    step : from 0, over all epochs
    losses : validation losses of the epochs before this one
    """
    warm = min(1.0, (step + 1) / (recipe.warmup_steps + 1))
    match recipe.schedule:
        case "cosine":
            return warm * 0.5 * (1.0 + math.cos(math.pi * step / (recipe.epochs * steps_an_epoch)))
        case "plateau":
            return warm * 0.5 ** epochs_that_bettered_nothing(losses)
        case _:
            return warm


def epochs_that_bettered_nothing(losses: Sequence[float | None]) -> int:
    """How many epochs' losses were no lower than the lowest before them."""
    known = [loss for loss in losses if loss is not None]
    return sum(loss >= best for loss, best in zip(known[1:], accumulate(known, min), strict=False))
