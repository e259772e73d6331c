"""Epoch after epoch: learn, validate, keep the best, write the checkpoint, until patience or the epochs end."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeAlias

import torch
from torch import Tensor

from nightreel.errors import DataError, NightreelError
from nightreel.neural.feed.batch import Feed
from nightreel.neural.process import Process
from nightreel.neural.training.checkpoint import Checkpoint, Checkpoints
from nightreel.neural.training.learner import Learner
from nightreel.neural.training.objective import Objective, scrambled
from nightreel.neural.training.spec import Recipe
from nightreel.settings.sections import PositiveInt, Section

_STEPS_BETWEEN = 50


class FiniteLoss:
    """Notes on the device which step first had a loss that is not finite, and asks it, and all ranks, now and then.

    Asking at every step would make a GPU wait for the CPU.
    """

    def __init__(self, process: Process, *, epoch: int, steps: int) -> None:
        self._process, self._epoch, self._steps = process, epoch, steps
        self._first_bad = torch.tensor(torch.inf, dtype=torch.float64, device=process.device)

    def note(self, step: int, loss: Tensor) -> None:
        """To be called on every rank, for every step from 0.

        Raises
        ------
        NightreelError : on every rank alike, when some rank's loss was not finite
        """
        bad = torch.where(torch.isfinite(loss), torch.inf, float(step))
        self._first_bad = torch.minimum(self._first_bad, bad)
        if (step + 1) % _STEPS_BETWEEN == 0 or step + 1 == self._steps:
            self._require()

    def _require(self) -> None:
        (first_bad,) = self._process.least(self._first_bad)
        if first_bad < self._steps:
            raise NightreelError(
                f"epoch {self._epoch}, step {int(first_bad) + 1} of {self._steps}: the loss is not a finite number; "
                "lower the learning rates, raise warmup_steps or set gradient_clip, and look for ratings off the scale"
            )


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


_SECONDS_BETWEEN = 5.0


class Pace:
    """Speaks on one rank only.

    Parameters
    ----------
    steps, rows : of an epoch
    epochs : of the training, if nothing ends it early
    """

    def __init__(self, name: str, *, steps: int, rows: int, epochs: int, speaks: bool) -> None:
        self._name, self._steps, self._rows, self._epochs, self._speaks = name, steps, rows, epochs, speaks
        self._said = self._began = time.monotonic()
        self._done_before: int | None = None

    def step_done(self, epoch: int, step: int, loss: Tensor) -> None:
        """epoch and step from 0; loss : mean of the epoch so far, read only when there is something to say."""
        if not self._speaks:
            return
        now, done = time.monotonic(), epoch * self._steps + step + 1
        if self._done_before is None:
            self._done_before, self._began = done, now
        elif now - self._said >= _SECONDS_BETWEEN:
            self._said = now
            steps_a_second = (done - self._done_before) / (now - self._began)
            left = (self._epochs * self._steps - done) / steps_a_second
            self._say(
                f"epoch {epoch + 1} of {self._epochs}, step {step + 1} of {self._steps}: loss {loss.item():.4f}, "
                f"{steps_a_second * self._rows / self._steps:,.0f} rows/s, at most {_time(left)} left"
            )

    def epoch_done(self, epoch: Epoch) -> None:
        validation = "" if epoch.validation_loss is None else f", validation loss {epoch.validation_loss:.4f}"
        self._say(
            f"epoch {epoch.number} of {self._epochs}: loss {epoch.train_loss:.4f}{validation}, "
            f"{epoch.rows_per_second:,.0f} rows/s, {_time(epoch.seconds)}"
        )

    def _say(self, text: str) -> None:
        if self._speaks:
            print(f"{self._name} {text}", file=sys.stderr, flush=True)


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


def validation_loss(measure: Objective, feed: Feed, process: Process) -> float:
    """Mean of the measure's losses over all rows of all ranks, in float64; any number of ranks gives the same figure.

    Leaves the network in training mode. To be called on every rank.

    Raises
    ------
    DataError : no row has a loss, as no rating of an implicit validation is high enough
    """
    total = torch.zeros((), dtype=torch.float64, device=process.device)
    count = 0
    measure.eval()
    with torch.inference_mode():
        for batch in feed.epoch(0):
            losses = measure(batch.users, batch.items, batch.ratings)
            total += losses.sum(dtype=torch.float64)
            count += len(losses)
    measure.train()
    loss, entries = process.total(total, count)
    if not entries:
        raise DataError("no validation row is a positive; lower the network's min_rating or validate on more rows")
    return loss / entries


@dataclass(frozen=True)
class Validation:
    """measure : its losses are what is validated; shares the learner's network. feed : of held-out rows"""

    measure: Objective
    feed: Feed


@dataclass(frozen=True)
class Fitted:
    """history : of all epochs, the same on every rank; best : weights to keep, on the CPU, on rank 0 only"""

    history: tuple[Epoch, ...]
    best: Mapping[str, Tensor]


class Loop:
    """One rank's part of a training; every method is to be called on every rank.

    Parameters
    ----------
    validation : None trains all epochs and keeps the last
    seed : of what is random inside the network, together with epoch and rank
    """

    def __init__(
        self,
        learner: Learner,
        feed: Feed,
        validation: Validation | None,
        *,
        recipe: Recipe,
        process: Process,
        seed: int,
        checkpoints: Checkpoints,
    ) -> None:
        self._learner, self._feed, self._validation = learner, feed, validation
        self._recipe, self._process, self._seed, self._checkpoints = recipe, process, seed, checkpoints
        self._history: tuple[Epoch, ...] = ()
        self._best: Mapping[str, Tensor] = {}
        self._pace = Pace(
            learner.network.name, steps=feed.steps, rows=feed.rows, epochs=recipe.epochs, speaks=process.first
        )

    def go_on_from(self, checkpoint: Checkpoint) -> None:
        """Stand where the training stood when the checkpoint was written."""
        self._history, self._best = tuple(checkpoint.history), checkpoint.best
        self._learner.network.load_state_dict(dict(checkpoint.model))
        self._learner.optimiser.restore(checkpoint.optimiser)

    def run(self) -> Fitted:
        """Train to the end.

        Raises
        ------
        NightreelError : the loss is not finite
        DataError : the feed's rows are not the snapshot's
        """
        while not is_over(self._history, self._recipe):
            self._history += (self._epoch(len(self._history)),)
            if self._process.first:
                self._keep()
        return Fitted(self._history, self._best)

    def _epoch(self, place: int) -> Epoch:
        began = time.monotonic()
        total, count = self._learn(place)
        seconds = time.monotonic() - began
        # The first rank's clock for all, so that all end with the same history.
        loss, entries, seconds = self._process.total(total, count, seconds if self._process.first else 0.0)
        epoch = Epoch(
            number=place + 1,
            train_loss=loss / max(1.0, entries),
            validation_loss=self._validated(),
            seconds=seconds,
            rows_per_second=self._feed.rows / seconds,
        )
        self._pace.epoch_done(epoch)
        return epoch

    def _validated(self) -> float | None:
        if self._validation is None:
            return None
        return validation_loss(self._validation.measure, self._validation.feed, self._process)

    def _learn(self, place: int) -> tuple[Tensor, float]:
        """Sum and number of the losses of this rank's entries in one epoch."""
        device, steps = self._process.device, self._feed.steps
        torch.manual_seed(int(scrambled(torch.tensor(self._seed), place, self._process.rank)))
        self._learner.objective.epoch = place
        finite = FiniteLoss(self._process, epoch=place + 1, steps=steps)
        losses = [epoch.validation_loss for epoch in self._history]
        total, count = torch.zeros((), dtype=torch.float64, device=device), 0
        for step, batch in enumerate(self._feed.epoch(place)):
            rate = rate_factor(self._recipe, step=place * steps + step, steps_an_epoch=steps, losses=losses)
            step_losses = self._learner.learn(batch, rate=rate)
            step_total = step_losses.sum(dtype=torch.float64)
            finite.note(step, step_total)
            total, count = total + step_total, count + len(step_losses)
            self._pace.step_done(place, step, total / max(1, count))
        return total, float(count)

    def _keep(self) -> None:
        network, optimiser = self._learner.network, self._learner.optimiser
        if best_place(self._history) == len(self._history) - 1:
            self._best = {name: tensor.to("cpu", copy=True) for name, tensor in network.state_dict().items()}
        self._checkpoints.write(Checkpoint(self._history, network.state_dict(), self._best, optimiser.state()))
