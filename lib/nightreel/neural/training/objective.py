"""What a step's rows lose under a network: the modules that DistributedDataParallel wraps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from nightreel.neural.networks.network import Network
from nightreel.neural.networks.params import NeumfParams
from nightreel.neural.training.recipe import Recipe
from nightreel.neural.training.scramble import scrambled
from nightreel.neural.training.unseen_items import UnseenItems


class Objective(nn.Module, ABC):
    """Losses of rows.

    entries_a_row : losses that a row has at most; a step's loss is their sum over rows times this
    """

    entries_a_row: int = 1

    def __init__(self, network: Network[Any]) -> None:
        super().__init__()
        self.network = network
        self.epoch = 0

    @abstractmethod
    def forward(self, users: Tensor, items: Tensor, ratings: Tensor) -> Tensor:
        """(n,) int64, (n,) int64, (n,) float32 -> (m,) float32, m at most n * entries_a_row"""


class RatingObjective(Objective):
    """Squared errors, or Huber's, of scores that are not clipped: beyond the scale they still have a slope."""

    def __init__(self, network: Network[Any], recipe: Recipe) -> None:
        super().__init__(network)
        self._huber_delta = recipe.huber_delta if recipe.loss == "huber" else None

    def forward(self, users: Tensor, items: Tensor, ratings: Tensor) -> Tensor:
        scores = self.network(users, items).float()
        if self._huber_delta is None:
            return functional.mse_loss(scores, ratings, reduction="none")
        return functional.huber_loss(scores, ratings, reduction="none", delta=self._huber_delta)


class ClippedSquares(Objective):
    """Squared errors of the predictions that a person would see: clipped to the scale."""

    def forward(self, users: Tensor, items: Tensor, ratings: Tensor) -> Tensor:
        domain = self.network.domain
        scores = self.network(users, items).float().clamp(domain.lowest, domain.highest)
        return functional.mse_loss(scores, ratings, reduction="none")


class ImplicitObjective(Objective):
    """Binary cross-entropy of liked items against items drawn from those that the user has not seen.

    Rows rated below `min_rating` are neither: they only count among the seen. The draw depends on the seed, the epoch
    and the row alone, so any number of ranks draws the same.
    """

    def __init__(self, network: Network[Any], params: NeumfParams, unseen: UnseenItems, *, seed: int) -> None:
        super().__init__(network)
        self.entries_a_row = 1 + params.negatives
        self._params = params
        self._unseen = unseen
        self._seed = seed

    def forward(self, users: Tensor, items: Tensor, ratings: Tensor) -> Tensor:
        liked = ratings >= self._params.min_rating
        users, items = users[liked], items[liked]
        row, item = self.drawn(users, items)
        logits = self.network(torch.cat([users, users[row]]), torch.cat([items, item])).float()
        labels = torch.zeros_like(logits)
        labels[: len(users)] = 1.0
        return functional.binary_cross_entropy_with_logits(logits, labels, reduction="none")

    def drawn(self, users: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
        """Unseen items for rows: the place of the row, and the item; both (m,) int64."""
        places = torch.arange(self._params.negatives, device=users.device)
        numbers = scrambled(users.unsqueeze(1), items.unsqueeze(1), places, self._seed, self.epoch)
        return self._unseen.draw(users, numbers)
