"""Losses of a batch's rows under a network, as the modules that DistributedDataParallel wraps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from nightreel.neural.networks.network import Network
from nightreel.neural.spec import NeumfParams, Recipe


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


class UnseenItems:
    """For each user the items that are in none of the pairs given.

    With the user's s seen items in order, item number j of those unseen (from 0) is j + c, where c counts the seen
    items whose place among the unseen is at most j. The places of all users form one sorted list, so a draw is one
    binary search: nothing is drawn twice, and no seen item ever.

    Memory: 8 bytes for each different pair and each user.
    """

    def __init__(self, users: Tensor, items: Tensor, *, n_users: int, n_items: int) -> None:
        """users, items : (pairs,) int64, in any order, repeated pairs allowed"""
        keys = torch.unique(users * n_items + items)
        user = keys // n_items
        starts = torch.searchsorted(keys, torch.arange(n_users + 1, device=keys.device) * n_items)
        place = torch.arange(len(keys), device=keys.device) - starts[user]
        self._n_items = n_items
        self._starts = starts
        self._places = keys - place

    def to(self, device: torch.device) -> Self:
        """Draw on another device from now on."""
        self._starts, self._places = self._starts.to(device), self._places.to(device)
        return self

    def draw(self, users: Tensor, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """Unseen items for users; those who have seen everything get none.

        Parameters
        ----------
        users : (n,) int64
        numbers : (n, k) int64, 0 or more: random, and the source of all that is random here

        Returns
        -------
        rows, items : (m,) int64 each: the place in `users`, and the item drawn for it
        """
        first = self._starts[users]
        unseen = self._n_items - (self._starts[users + 1] - first)
        chosen = numbers.remainder(unseen.clamp(min=1).unsqueeze(1))
        passed = torch.searchsorted(self._places, chosen + (users * self._n_items).unsqueeze(1), right=True)
        items = chosen + passed - first.unsqueeze(1)
        rows = torch.arange(len(users), device=users.device).unsqueeze(1).expand_as(items)
        some = (unseen > 0).unsqueeze(1).expand_as(items)
        return rows[some], items[some]


_GOLDEN, _FIRST, _SECOND = (value - 2**64 for value in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


def scrambled(first: Tensor, *others: Tensor | int) -> Tensor:
    """The parts, broadcast against each other, through SplitMix64 (Steele, Lea and Flood 2014): int64, 0 to 2^63 - 1.

    The same parts give the same number on every rank and device, and in whatever batch they come.
    """
    state = _mixed(first)
    for part in others:
        state = _mixed(state + part)
    return state & (2**63 - 1)


def _mixed(state: Tensor) -> Tensor:
    """int64 wraps around as uint64 does; its right shift has to be cleared of the sign."""
    state = state + _GOLDEN
    for shift, factor in ((30, _FIRST), (27, _SECOND), (31, 1)):
        state = (state ^ ((state >> shift) & ((1 << (64 - shift)) - 1))) * factor
    return state
