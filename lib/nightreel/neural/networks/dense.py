"""Dense layers: the one over a user beside an item, and those behind it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


class PairLinear(nn.Module):
    """A linear layer over a user's features beside an item's, whose two halves can be computed apart.

    W [user ; item] + b = (Wu user + b) + Wi item, so a tile of u users and i items costs u + i products with the
    weights instead of u * i.

    Shapes: weight (out, user + item), bias (out,).
    """

    def __init__(self, user: int, item: int, out: int) -> None:
        super().__init__()
        self.user_width = user
        self.layer = nn.Linear(user + item, out)

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        """(n, user), (n, item) -> (n, out)"""
        both: Tensor = self.layer(torch.cat([user, item], dim=1))
        return both

    def of_users(self, user: Tensor) -> Tensor:
        """(u, user) -> (u, out), with the bias."""
        return functional.linear(user, self.layer.weight[:, : self.user_width], self.layer.bias)

    def of_items(self, item: Tensor) -> Tensor:
        """(i, item) -> (i, out), without the bias."""
        return functional.linear(item, self.layer.weight[:, self.user_width :])


def behind(hidden: Sequence[int], *, dropout: float) -> nn.Sequential:
    """What follows a first layer of hidden[0] units: ReLU and dropout, then linear layers to the other widths alike.

    Shapes: (..., hidden[0]) -> (..., hidden[-1]).
    """
    return nn.Sequential(*_layers(hidden, dropout))


def output(width: int, *, start: float) -> nn.Linear:
    """(..., width) -> (..., 1), its bias at `start`."""
    layer = nn.Linear(width, 1)
    nn.init.constant_(layer.bias, start)
    return layer


def _layers(hidden: Sequence[int], dropout: float) -> Iterator[nn.Module]:
    for place, width in enumerate(hidden):
        if place:
            yield nn.Linear(hidden[place - 1], width)
        yield nn.ReLU()
        if dropout:
            yield nn.Dropout(dropout)
