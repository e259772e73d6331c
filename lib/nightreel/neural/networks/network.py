"""What every network is: two tables of embeddings, and a score made of a row of each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar, Generic, NamedTuple, Self, TypeVar

import torch
from pydantic import model_validator
from torch import Tensor, nn
from torch.nn import functional

from nightreel.neural.networks.params import MfParams, NetworkParams
from nightreel.settings.sections import PositiveInt, Section


class Domain(Section):
    """Users 0 .. users - 1, items 0 .. items - 1, and the ratings between them."""

    users: PositiveInt
    items: PositiveInt
    lowest: float
    """The rating scale; predictions are clipped to it when they are used, never while training."""
    highest: float
    mean: float
    """Mean training rating: where a network's output starts from."""

    @model_validator(mode="after")
    def ordered(self) -> Self:
        if self.lowest >= self.highest:
            raise ValueError("lowest must be below highest")
        if not self.lowest <= self.mean <= self.highest:
            raise ValueError("mean must lie between lowest and highest")
        return self


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


ParamsT = TypeVar("ParamsT", bound=NetworkParams)


class Network(nn.Module, ABC, Generic[ParamsT]):
    """A network scores pairs of user_idx and item_idx.

    All that it learns for single users and items stands in the two tables `users` and `items`. Their gradients are
    sparse: a step reads, exchanges and writes the rows of its batch only, however long the tables are.

    Parameters
    ----------
    params : hyperparameters
    domain : users, items, scale and mean rating
    widths : columns of the user table and of the item table
    """

    name: ClassVar[str]

    def __init__(self, params: ParamsT, domain: Domain, *, widths: tuple[int, int]) -> None:
        super().__init__()
        self.params = params
        self.domain = domain
        self.users = _table(domain.users, widths[0], params.init_std)
        self.items = _table(domain.items, widths[1], params.init_std)

    @property
    def implicit(self) -> bool:
        """Whether scores are logits of preference instead of ratings."""
        return False

    @abstractmethod
    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """Scores of pairs, in rating units and not clipped to the scale, or logits where `implicit`.

        Parameters
        ----------
        users : (n,) int64
        items : (n,) int64

        Returns
        -------
        (n,) float32
        """

    def tables(self) -> tuple[Tensor, Tensor]:
        """The weights with sparse gradients: (users, width) and (items, width)."""
        return self.users.weight, self.items.weight


def _table(rows: int, width: int, std: float) -> nn.Embedding:
    table = nn.Embedding(rows, width, sparse=True)
    nn.init.normal_(table.weight, std=std)
    return table


class TowerNetwork(Network[ParamsT]):
    """score = out(behind(first([user features ; item features]))).

    To score a whole catalogue, `user_tower` and `item_tower` compute the first layer once a user and once an item, and
    `score_tile` all pairs of some of either: score_tile(user_tower(u), item_tower(i))[a, b] is forward(u[a], i[b]).
    In evaluation mode only, as dropout draws anew for every call.
    """

    first: PairLinear
    behind: nn.Module
    out: nn.Module

    @property
    def tile_width(self) -> int:
        """Floats that score_tile holds for a pair."""
        return self.first.layer.out_features

    def finish(self, joined: Tensor) -> Tensor:
        """What the first layer gives, before its activation: (..., tile_width) -> (...)"""
        score: Tensor = self.out(self.behind(joined))
        return score.squeeze(-1)

    def user_features(self, users: Tensor) -> Tensor:
        """(n,) -> (n, width of a user's features)"""
        rows: Tensor = self.users(users)
        return rows

    def item_features(self, items: Tensor) -> Tensor:
        """(n,) -> (n, width of an item's features)"""
        rows: Tensor = self.items(items)
        return rows

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        return self.finish(self.first(self.user_features(users), self.item_features(items)))

    def user_tower(self, users: Tensor) -> Tensor:
        """The users' part of score_tile: (u,) int64 -> (u, width) float32"""
        return self.first.of_users(self.user_features(users))

    def item_tower(self, items: Tensor) -> Tensor:
        """The items' part of score_tile: (i,) int64 -> (i, width) float32"""
        return self.first.of_items(self.item_features(items))

    def score_tile(self, user_part: Tensor, item_part: Tensor) -> Tensor:
        """Scores of all pairs: (u, width), (i, width) -> (u, i) float32; holds u * i * tile_width floats meanwhile."""
        return self.finish(user_part.unsqueeze(1) + item_part.unsqueeze(0))


class Factors(NamedTuple):
    """score = mean + user_bias[u] + item_bias[i] + user_vectors[u] . item_vectors[i].

    mean : of the score
    user_bias : (users,) float32
    user_vectors : (users, rank) float32
    item_bias : (items,) float32
    item_vectors : (items, rank) float32
    """

    mean: float
    user_bias: Tensor
    user_vectors: Tensor
    item_bias: Tensor
    item_vectors: Tensor


class FactorNetwork(Network[MfParams]):
    """A network whose score is an inner product, so that the factors form's top-N, similar and fold-in serve it."""

    @abstractmethod
    def factors(self) -> Factors:
        """What the network has learnt, sharing memory with its tables and without gradients."""


def inner(left: Tensor, right: Tensor) -> Tensor:
    """(n, rank), (n, rank) -> (n,)"""
    return (left * right).sum(dim=1)
