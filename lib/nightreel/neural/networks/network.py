"""What every network is: two tables of embeddings and a score of a row of each; and the networks of inner products."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar, Generic, NamedTuple

import torch
from torch import Tensor, nn

from nightreel.neural.spec import Domain, MfParams, ParamsT


class Network(nn.Module, ABC, Generic[ParamsT]):
    """A network scores pairs of user_idx and item_idx.

    All that it learns for single users and items is in the two tables `users` and `items`. Their gradients are
    sparse: a step reads, exchanges and writes the rows of its batch only, however long the tables are.

    Parameters
    ----------
    widths : columns of the user table and of the item table
    """

    name: ClassVar[str]

    def __init__(self, params: ParamsT, domain: Domain, *, widths: tuple[int, int]) -> None:
        super().__init__()
        self.params = params
        self.domain = domain
        self.users = _table(domain.users, widths[0], params.init_std)
        self.items = _table(domain.items, widths[1], params.init_std)

    @abstractmethod
    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """Scores of pairs, in rating units and not clipped to the scale, or logits of preference (`Neumf`).

        (n,) int64, (n,) int64 -> (n,) float32
        """

    def tables(self) -> tuple[Tensor, Tensor]:
        """The weights with sparse gradients: (users, width) and (items, width)."""
        return self.users.weight, self.items.weight


def _table(rows: int, width: int, std: float) -> nn.Embedding:
    table = nn.Embedding(rows, width, sparse=True)
    nn.init.normal_(table.weight, std=std)
    return table


class Factors(NamedTuple):
    """score = mean + user_bias[u] + item_bias[i] + user_vectors[u] . item_vectors[i].

    They share memory with the network's tables and have no gradients. The factors form's top-N, similar and fold-in
    serve a network that has them.

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


class Mf(Network[MfParams]):
    """score = user vector . item vector, without biases and mean.

    The vectors carry the level as well: they start around the value at which their product is the mean rating, which
    spares them the way there and gives a better optimum than starting around zero.

    Shapes: users (users, rank), items (items, rank).
    """

    name: ClassVar[str] = "mf"

    def __init__(self, params: MfParams, domain: Domain) -> None:
        super().__init__(params, domain, widths=(params.rank, params.rank))
        level = math.sqrt(abs(domain.mean) / params.rank)
        with torch.no_grad():
            self.users.weight.add_(level)
            self.items.weight.add_(math.copysign(level, domain.mean))

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        score: Tensor = (self.users(users) * self.items(items)).sum(dim=1)
        return score

    def factors(self) -> Factors:
        users, items = (table.detach() for table in self.tables())
        return Factors(0.0, users.new_zeros(len(users)), users, items.new_zeros(len(items)), items)


class MfBias(Network[MfParams]):
    """score = bias + user bias + item bias + user vector . item vector (Koren, Bell and Volinsky 2009).

    Shapes: users (users, 1 + rank) and items (items, 1 + rank), whose first column is the bias and starts at 0;
    bias (), which starts at the mean rating.
    """

    name: ClassVar[str] = "mf_bias"

    def __init__(self, params: MfParams, domain: Domain) -> None:
        super().__init__(params, domain, widths=(1 + params.rank, 1 + params.rank))
        self.bias = nn.Parameter(torch.tensor(domain.mean, dtype=torch.float32))
        with torch.no_grad():
            for table in self.tables():
                table[:, 0] = 0.0

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        user, item = self.users(users), self.items(items)
        score: Tensor = self.bias + user[:, 0] + item[:, 0] + (user[:, 1:] * item[:, 1:]).sum(dim=1)
        return score

    def factors(self) -> Factors:
        users, items = (table.detach() for table in self.tables())
        return Factors(self.bias.item(), users[:, 0], users[:, 1:], items[:, 0], items[:, 1:])
