"""Embeddings of user and item beside each other, and dense layers over them."""

from __future__ import annotations

from typing import ClassVar

from nightreel.neural.networks.dense import PairLinear, behind, output
from nightreel.neural.networks.domain import Domain
from nightreel.neural.networks.params import DeepParams
from nightreel.neural.networks.tower_network import TowerNetwork


class Deep(TowerNetwork[DeepParams]):
    """Embeddings of 20 and 10, concatenated, a dense layer of 256 and one output, which starts at the mean rating.

    Shapes: users (users, user_embedding), items (items, item_embedding),
    first (user_embedding + item_embedding -> hidden[0]), out (hidden[-1] -> 1).
    """

    name: ClassVar[str] = "deep"

    def __init__(self, params: DeepParams, domain: Domain) -> None:
        super().__init__(params, domain, widths=(params.user_embedding, params.item_embedding))
        self.first = PairLinear(params.user_embedding, params.item_embedding, params.hidden[0])
        self.behind = behind(params.hidden, dropout=params.dropout)
        self.out = output(params.hidden[-1], start=domain.mean)
