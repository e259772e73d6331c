"""Where a training begins: at the start, or where a killed one left off."""

from __future__ import annotations

from nightreel.errors import DataError
from nightreel.neural.training.checkpoint import Checkpoints
from nightreel.neural.training.loop import Loop
from nightreel.neural.training.process_group import Process


def begin(loop: Loop, checkpoints: Checkpoints, process: Process, *, resume: bool) -> None:
    """Put the loop where the last checkpoint was written, or clear away those of an earlier training.

    To be called on every rank.

    Raises
    ------
    DataError : the ranks do not see the same checkpoint
    """
    found = checkpoints.last() if resume else None
    epochs = len(found.history) if found else 0
    fewest, most_negated = process.least(epochs, -epochs)
    if fewest != -most_negated:
        raise DataError(
            f"resume: rank {process.rank} sees a checkpoint after epoch {epochs}, another rank one after epoch "
            f"{-most_negated if epochs == fewest else fewest:.0f}; the run's folder must be one that all ranks see"
        )
    if found:
        loop.go_on_from(found)
    elif process.first:
        checkpoints.clear()
