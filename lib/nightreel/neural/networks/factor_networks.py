"""The inner product of a user's and an item's vector."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from nightreel.neural.networks.network import Domain, FactorNetwork, Factors, inner
from nightreel.neural.networks.params import MfParams


class Mf(FactorNetwork):
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
        return inner(self.users(users), self.items(items))

    def factors(self) -> Factors:
        users, items = (table.detach() for table in self.tables())
        return Factors(0.0, users.new_zeros(len(users)), users, items.new_zeros(len(items)), items)


class MfBias(FactorNetwork):
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
        score: Tensor = self.bias + user[:, 0] + item[:, 0] + inner(user[:, 1:], item[:, 1:])
        return score

    def factors(self) -> Factors:
        users, items = (table.detach() for table in self.tables())
        return Factors(self.bias.item(), users[:, 0], users[:, 1:], items[:, 0], items[:, 1:])
