"""What the feed gives the training loop: batches, and the promise of how many and in which order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """This rank's rows of one step.

    users : (n,) int64, user_idx
    items : (n,) int64, item_idx
    ratings : (n,) float32
    weight : world_size * n / rows of the step over all ranks. It multiplies the batch's mean loss, so that the average
        of the gradients over the ranks is the gradient of the mean loss over all rows of the step. 0.0 where n is 0.
    """

    users: Tensor
    items: Tensor
    ratings: Tensor
    weight: float

    def __len__(self) -> int:
        return self.users.shape[0]


class Feed(Protocol):
    """One rank's share of a snapshot, in epochs.

    rows : of the snapshot, over all ranks
    steps : batches an epoch, the same on every rank
    """

    @property
    def rows(self) -> int: ...

    @property
    def steps(self) -> int: ...

    def epoch(self, number: int) -> Iterator[Batch]:
        """Exactly `steps` batches; their rows and order depend on seed, number, rank and world size only.

        Every rank has to exhaust its iterator: after the last batch the ranks count their rows together.

        Raises
        ------
        DataError : the rows over all ranks are not the snapshot's
        """

    def close(self) -> None:
        """Ends threads and readers; the feed gives no more epochs."""
