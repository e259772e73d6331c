"""Epoch after epoch: learn, validate, keep the best, write the checkpoint, until patience or the epochs end."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping, Sequence
from itertools import accumulate

import torch
from torch import Tensor

from nightreel.errors import DataError, NightreelError
from nightreel.neural.feed import Feed
from nightreel.neural.process import Process
from nightreel.neural.spec import Recipe
from nightreel.neural.training.checkpoint import Checkpoint, Checkpoints, Epoch, best_place
from nightreel.neural.training.learner import Learner
from nightreel.neural.training.objective import Objective, scrambled

_STEPS_BETWEEN_CHECKS = 50
_SECONDS_BETWEEN_LINES = 5.0


class Loop:
    """One rank's part of a training; every method is to be called on every rank.

    Parameters
    ----------
    validation : the objective whose losses are the validation loss, on the learner's network, and the feed of held-out
        rows; None trains all epochs and keeps the last
    seed : of what is random inside the network, together with epoch and rank

    `history` is of all epochs, the same on every rank; `best` the weights to keep, on the CPU, on rank 0 only.
    """

    def __init__(
        self,
        learner: Learner,
        feed: Feed,
        validation: tuple[Objective, Feed] | None,
        *,
        seed: int,
        checkpoints: Checkpoints,
    ) -> None:
        self.history: tuple[Epoch, ...] = ()
        self.best: Mapping[str, Tensor] = {}
        self._learner, self._feed, self._validation = learner, feed, validation
        self._seed, self._checkpoints = seed, checkpoints
        self._recipe, self._process = learner.recipe, learner.process
        self._progress = Progress(learner.network.name, feed, epochs=self._recipe.epochs, prints=self._process.first)

    def begin(self, *, resume: bool) -> None:
        """Restore the last checkpoint, or clear away those of an earlier training.

        Raises
        ------
        ConfigurationError : the checkpoint is of another training
        DataError : it cannot be read, or the ranks do not see the same checkpoint
        """
        found = self._checkpoints.last() if resume else None
        epochs = len(found.history) if found else 0
        fewest, most_negated = self._process.minimum(epochs, -epochs)
        if fewest != -most_negated:
            raise DataError(
                f"resume: rank {self._process.rank} sees a checkpoint after epoch {epochs}, another rank one after "
                f"epoch {-most_negated if epochs == fewest else fewest:.0f}; the run's folder must be one that all "
                "ranks see"
            )
        if found:
            self.history, self.best = found.history, found.best
            self._learner.network.load_state_dict(dict(found.model))
            self._learner.optimiser.restore(found.optimiser)
        elif self._process.first:
            self._checkpoints.clear()

    def run(self) -> None:
        """Train to the end.

        Raises
        ------
        NightreelError : the loss is not finite
        DataError : the feed's rows are not the snapshot's
        """
        while not is_over(self.history, self._recipe):
            self.history += (self._epoch(len(self.history)),)
            if self._process.first:
                network, optimiser = self._learner.network, self._learner.optimiser
                if best_place(self.history) == len(self.history) - 1:
                    self.best = {name: tensor.to("cpu", copy=True) for name, tensor in network.state_dict().items()}
                self._checkpoints.write(Checkpoint(self.history, network.state_dict(), self.best, optimiser.state()))

    def _epoch(self, place: int) -> Epoch:
        began = time.monotonic()
        total, count = self._learn(place)
        seconds = time.monotonic() - began
        # The first rank's clock for all, so that all end with the same history.
        loss, entries, seconds = self._process.total(total, count, seconds if self._process.first else 0.0)
        epoch = Epoch(
            number=place + 1,
            train_loss=loss / max(1.0, entries),
            validation_loss=self._validation and validation_loss(*self._validation, self._process),
            seconds=seconds,
            rows_per_second=self._feed.rows / seconds,
        )
        self._progress.epoch_done(epoch)
        return epoch

    def _learn(self, place: int) -> tuple[Tensor, float]:
        """Sum and number of the losses of this rank's entries in one epoch."""
        device, steps = self._process.device, self._feed.steps
        torch.manual_seed(int(scrambled(torch.tensor(self._seed), place, self._process.rank)))
        self._learner.objective.epoch = place
        losses = [epoch.validation_loss for epoch in self.history]
        total, count = torch.zeros((), dtype=torch.float64, device=device), 0
        first_bad = torch.tensor(torch.inf, dtype=torch.float64, device=device)
        for step, batch in enumerate(self._feed.epoch(place)):
            rate = rate_factor(self._recipe, step=place * steps + step, steps_an_epoch=steps, losses=losses)
            step_losses = self._learner.learn(batch, rate=rate)
            step_total = step_losses.sum(dtype=torch.float64)
            total, count = total + step_total, count + len(step_losses)
            first_bad = first_bad.minimum(torch.where(torch.isfinite(step_total), torch.inf, float(step)))
            # Asking at every step would make a GPU wait for the CPU.
            if (step + 1) % _STEPS_BETWEEN_CHECKS == 0 or step + 1 == steps:
                self._require_finite(first_bad, place)
            self._progress.step_done(place, step, total / max(1, count))
        return total, float(count)

    def _require_finite(self, first_bad: Tensor, place: int) -> None:
        """Raise NightreelError, on every rank alike, where a step of some rank had a loss that is not finite."""
        (step,) = self._process.minimum(first_bad)
        if step < self._feed.steps:
            raise NightreelError(
                f"epoch {place + 1}, step {int(step) + 1} of {self._feed.steps}: the loss is not a finite number; "
                "lower the learning rates, raise warmup_steps or set gradient_clip, and look for ratings off the scale"
            )


def validation_loss(measure: Objective, feed: Feed, process: Process) -> float:
    """Mean of the measure's losses over all rows of all ranks, in float64; any number of ranks gives the same figure.

    Leaves the network in training mode. To be called on every rank.

    Raises DataError where no row has a loss, as no rating of an implicit validation is high enough.
    """
    total, count = torch.zeros((), dtype=torch.float64, device=process.device), 0
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


def is_over(history: Sequence[Epoch], recipe: Recipe) -> bool:
    """Whether all epochs are done or patience is at its end."""
    waited = len(history) - 1 - best_place(history)
    return len(history) >= recipe.epochs or 0 < recipe.patience <= waited


def rate_factor(recipe: Recipe, *, step: int, steps_an_epoch: int, losses: Sequence[float | None]) -> float:
    """What the recipe's rates are multiplied by.

    Parameters
    ----------
    step : from 0, over all epochs
    losses : validation losses of the epochs before this one
    """
    warm = min(1.0, (step + 1) / (recipe.warmup_steps + 1))
    if recipe.schedule == "cosine":
        return warm * 0.5 * (1.0 + math.cos(math.pi * step / (recipe.epochs * steps_an_epoch)))
    if recipe.schedule == "plateau":
        known = [loss for loss in losses if loss is not None]
        without_new_best = sum(loss >= best for loss, best in zip(known[1:], accumulate(known, min), strict=False))
        return float(warm * 0.5**without_new_best)
    return warm


class Progress:
    """A line on standard error for each epoch, and one every few seconds within it; `prints` on one rank only.

    epochs : of the training, if nothing ends it early
    """

    def __init__(self, name: str, feed: Feed, *, epochs: int, prints: bool) -> None:
        self._name, self._steps, self._rows, self._epochs, self._prints = name, feed.steps, feed.rows, epochs, prints
        self._printed = self._began = time.monotonic()
        self._done_before: int | None = None

    def step_done(self, epoch: int, step: int, loss: Tensor) -> None:
        """epoch and step from 0; loss : mean of the epoch so far, copied from the device only to be printed."""
        if not self._prints:
            return
        now, done = time.monotonic(), epoch * self._steps + step + 1
        if self._done_before is None:
            self._done_before, self._began = done, now
        elif now - self._printed >= _SECONDS_BETWEEN_LINES:
            self._printed = now
            steps_a_second = (done - self._done_before) / (now - self._began)
            left = (self._epochs * self._steps - done) / steps_a_second
            self._print(
                f"epoch {epoch + 1} of {self._epochs}, step {step + 1} of {self._steps}: loss {loss.item():.4f}, "
                f"{steps_a_second * self._rows / self._steps:,.0f} rows/s, at most {_time(left)} left"
            )

    def epoch_done(self, epoch: Epoch) -> None:
        validation = "" if epoch.validation_loss is None else f", validation loss {epoch.validation_loss:.4f}"
        self._print(
            f"epoch {epoch.number} of {self._epochs}: loss {epoch.train_loss:.4f}{validation}, "
            f"{epoch.rows_per_second:,.0f} rows/s, {_time(epoch.seconds)}"
        )

    def _print(self, text: str) -> None:
        if self._prints:
            print(f"{self._name} {text}", file=sys.stderr, flush=True)


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
