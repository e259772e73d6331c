"""A loss that is no number ends the training."""

from __future__ import annotations

import torch
from torch import Tensor

from nightreel.errors import NightreelError
from nightreel.neural.training.process_group import Process

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
