"""The inner product of vectors, over the biases of user, item and all."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from nightreel.neural.networks.domain import Domain
from nightreel.neural.networks.factor_network import FactorNetwork, Factors, inner
from nightreel.neural.networks.params import MfParams


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
