"""How a training shows that it is alive: a line every few seconds on standard error."""

from __future__ import annotations

import sys
import time

from torch import Tensor

from nightreel.neural.training.history import Epoch

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
