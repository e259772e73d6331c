"""A network with what makes it learn from a batch."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from nightreel.neural.feed.batch import Batch
from nightreel.neural.training.objective import Objective
from nightreel.neural.training.optimiser import Optimiser
from nightreel.neural.training.process_group import Process
from nightreel.neural.training.recipe import Recipe


class Learner:
    """One rank's network, its objective and optimiser; all ranks hold the same weights after every step.

    Parameters
    ----------
    objective : on the process's device, and with the same weights on every rank
    precision : of matrix products

    Its `module` is the objective as it learns: with more than one rank, wrapped to average gradients.
    """

    def __init__(
        self, objective: Objective, recipe: Recipe, process: Process, *, precision: Literal["fp32", "bf16"]
    ) -> None:
        self.objective = objective
        self.network = objective.network
        self.optimiser = Optimiser(objective.network, recipe, world_size=process.world_size)
        self._device = process.device.type
        self._half = precision == "bf16"
        self.module = _distributed(objective, process)

    def learn(self, batch: Batch, *, rate: float) -> Tensor:
        """Take a step; to be called on every rank. Returns the losses of the batch's entries, (m,) float32."""
        self.optimiser.forget()
        losses, share = self.backward(batch)
        self.optimiser.step(share=share, rate=rate)
        return losses

    def backward(self, batch: Batch) -> tuple[Tensor, float]:
        """Leave the gradients on the weights, averaged over the ranks but for the tables'.

        Returns
        -------
        the losses of the batch's entries, (m,) float32, and what an entry weighs in the step's loss, times the ranks
        """
        share = batch.weight / max(1, len(batch) * self.objective.entries_a_row)
        with torch.autocast(self._device, dtype=torch.bfloat16, enabled=self._half):
            losses: Tensor = self.module(batch.users, batch.items, batch.ratings)
        (losses.sum() * share).backward()  # type: ignore[no-untyped-call]
        return losses.detach(), share


def _distributed(objective: Objective, process: Process) -> nn.Module:
    """The objective whose backward pass averages gradients over the ranks, but not those of the tables."""
    tables = objective.network.tables()
    ignored = [name for name, weight in objective.named_parameters() if any(weight is table for table in tables)]
    if process.world_size == 1 or len(ignored) == len(list(objective.parameters())):
        return objective
    ignore = DistributedDataParallel._set_params_and_buffers_to_ignore_for_model
    ignore(objective, ignored)  # type: ignore[no-untyped-call]
    devices = [process.device] if process.device.type == "cuda" else None
    return DistributedDataParallel(objective, devices, broadcast_buffers=False, gradient_as_bucket_view=True)
