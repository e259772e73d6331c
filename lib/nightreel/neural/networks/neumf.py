"""Neural matrix factorisation: an inner product and an MLP side by side."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from nightreel.neural.networks.dense import PairLinear, behind, output
from nightreel.neural.networks.domain import Domain
from nightreel.neural.networks.params import NeumfParams
from nightreel.neural.networks.tower_network import TowerNetwork


class Neumf(TowerNetwork[NeumfParams]):
    """score = h . (GMF user * GMF item) + MLP([MLP user ; MLP item]), on separate embeddings (He et al. 2017).

    In the rating mode the score is a rating and starts at the mean; in the implicit mode it is the logit of a positive.

    Shapes: users and items (.., gmf_embedding + mlp_embedding), the GMF's columns first; gmf (gmf_embedding,);
    first (2 * mlp_embedding -> hidden[0]); out (hidden[-1] -> 1).
    """

    name: ClassVar[str] = "neumf"

    def __init__(self, params: NeumfParams, domain: Domain) -> None:
        width = params.gmf_embedding + params.mlp_embedding
        super().__init__(params, domain, widths=(width, width))
        self.gmf = nn.Parameter(torch.ones(params.gmf_embedding))
        self.first = PairLinear(params.mlp_embedding, params.mlp_embedding, params.hidden[0])
        self.behind = behind(params.hidden, dropout=params.dropout)
        self.out = output(params.hidden[-1], start=0.0 if self.implicit else domain.mean)

    @property
    def implicit(self) -> bool:
        return self.params.mode == "implicit"

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        user_gmf, user_mlp = self._halves(self.users(users))
        item_gmf, item_mlp = self._halves(self.items(items))
        return (user_gmf * item_gmf) @ self.gmf + self.finish(self.first(user_mlp, item_mlp))

    def user_tower(self, users: Tensor) -> Tensor:
        """(u,) -> (u, gmf_embedding + hidden[0]): the user's GMF vector, weighed, and its half of the first layer."""
        gmf, mlp = self._halves(self.users(users))
        return torch.cat([gmf * self.gmf, self.first.of_users(mlp)], dim=1)

    def item_tower(self, items: Tensor) -> Tensor:
        """(i,) -> (i, gmf_embedding + hidden[0])"""
        gmf, mlp = self._halves(self.items(items))
        return torch.cat([gmf, self.first.of_items(mlp)], dim=1)

    def score_tile(self, user_part: Tensor, item_part: Tensor) -> Tensor:
        user_gmf, user_mlp = self._halves(user_part)
        item_gmf, item_mlp = self._halves(item_part)
        return user_gmf @ item_gmf.T + super().score_tile(user_mlp, item_mlp)

    def _halves(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """What is the GMF's and what the MLP's of rows of a table or a tower."""
        return rows[:, : self.params.gmf_embedding], rows[:, self.params.gmf_embedding :]
