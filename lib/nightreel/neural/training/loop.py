"""Epoch after epoch: learn, validate, keep the best, write the checkpoint, until patience or the epochs end."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from nightreel.neural.feed.batch import Feed
from nightreel.neural.training.checkpoint import Checkpoint, Checkpoints
from nightreel.neural.training.finite_loss import FiniteLoss
from nightreel.neural.training.history import Epoch, best_place, is_over
from nightreel.neural.training.learner import Learner
from nightreel.neural.training.learning_rate import rate_factor
from nightreel.neural.training.objective import Objective
from nightreel.neural.training.pace import Pace
from nightreel.neural.training.process_group import Process
from nightreel.neural.training.recipe import Recipe
from nightreel.neural.training.scramble import scrambled
from nightreel.neural.training.validate import validation_loss


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
