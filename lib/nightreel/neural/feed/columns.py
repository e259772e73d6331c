"""Rows as three columns, in numpy while they are read and in torch from then on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

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
