"""What the feed gives the training loop: batches, and the promise of how many and in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import torch
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


Array: TypeAlias = npt.NDArray[Any]

_Column = TypeVar("_Column", Array, Tensor)
_Other = TypeVar("_Other", Array, Tensor)


@dataclass(frozen=True)
class Columns(Generic[_Column]):
    """users, items, ratings : (rows,) each."""

    users: _Column
    items: _Column
    ratings: _Column

    def __len__(self) -> int:
        # Of a tensor the shape is several times quicker to ask for than the length.
        return int(self.users.shape[0])

    def each(self, change: Callable[[_Column], _Other]) -> Columns[_Other]:
        """The same change to each column."""
        return Columns(change(self.users), change(self.items), change(self.ratings))

    def cut(self, start: int, stop: int) -> Columns[_Column]:
        """The rows from start until before stop, without copying."""
        return Columns(self.users[start:stop], self.items[start:stop], self.ratings[start:stop])


def joined(parts: list[Columns[Array]]) -> Columns[Array]:
    """The rows of all parts, of which there is at least one, one part after the other."""
    return Columns(
        np.concatenate([part.users for part in parts]),
        np.concatenate([part.items for part in parts]),
        np.concatenate([part.ratings for part in parts]),
    )


def joined_tensors(parts: list[Columns[Tensor]]) -> Columns[Tensor]:
    """The same of tensors; a single part is not copied."""
    if len(parts) == 1:
        return parts[0]
    return Columns(
        torch.cat([part.users for part in parts]),
        torch.cat([part.items for part in parts]),
        torch.cat([part.ratings for part in parts]),
    )


def no_rows() -> Columns[Array]:
    """As they are read: users and items int32, ratings float32."""
    return Columns(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.float32))
