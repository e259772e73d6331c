"""Neural collaborative filtering: an MLP over the embeddings, whose output stays within the scale."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from nightreel.neural.networks.dense import PairLinear, behind, output
from nightreel.neural.networks.domain import Domain
from nightreel.neural.networks.params import NcfParams
from nightreel.neural.networks.tower_network import TowerNetwork

_MARGIN = 0.01


class Ncf(TowerNetwork[NcfParams]):
    """score = lowest + (highest - lowest) * sigmoid(MLP([user ; item])), the MLP of 64, 32 and 16 units (He 2017).

    Shapes: users (users, embedding), items (items, embedding), first (2 * embedding -> hidden[0]),
    out (hidden[-1] -> 1), whose bias starts where the score is the mean rating.
    """

    name: ClassVar[str] = "ncf"

    def __init__(self, params: NcfParams, domain: Domain) -> None:
        super().__init__(params, domain, widths=(params.embedding, params.embedding))
        self.first = PairLinear(params.embedding, params.embedding, params.hidden[0])
        self.behind = behind(params.hidden, dropout=params.dropout)
        self.out = output(params.hidden[-1], start=_logit_of_mean(domain))

    def finish(self, joined: Tensor) -> Tensor:
        # In float32 also under bf16, whose steps near 5 are as wide as 0.03.
        share = torch.sigmoid(super().finish(joined).float())
        return self.domain.lowest + (self.domain.highest - self.domain.lowest) * share


def _logit_of_mean(domain: Domain) -> float:
    """A mean at an end of the scale would be an infinite logit."""
    share = (domain.mean - domain.lowest) / (domain.highest - domain.lowest)
    share = min(max(share, _MARGIN), 1.0 - _MARGIN)
    return math.log(share / (1.0 - share))
