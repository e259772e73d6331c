"""Items that a user has not seen, drawn evenly."""

from __future__ import annotations

from typing import NamedTuple, Self

import torch
from torch import Tensor


class Drawn(NamedTuple):
    """rows : (m,) int64, places in the users drawn for; items : (m,) int64"""

    rows: Tensor
    items: Tensor


class UnseenItems:
    """For each user the items that are in none of the pairs given.

    With the user's s seen items in order, item number j of those unseen (from 0) is j + c, where c counts the seen
    items whose place among the unseen is at most j. The places of all users stand in one sorted list, so a draw is one
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

    def draw(self, users: Tensor, numbers: Tensor) -> Drawn:
        """Unseen items for users; those who have seen everything get none.

        Parameters
        ----------
        users : (n,) int64
        numbers : (n, k) int64, 0 or more: random, and the source of all that is random here
        """
        first = self._starts[users]
        unseen = self._n_items - (self._starts[users + 1] - first)
        chosen = numbers.remainder(unseen.clamp(min=1).unsqueeze(1))
        passed = torch.searchsorted(self._places, chosen + (users * self._n_items).unsqueeze(1), right=True)
        items = chosen + passed - first.unsqueeze(1)
        rows = torch.arange(len(users), device=users.device).unsqueeze(1).expand_as(items)
        some = (unseen > 0).unsqueeze(1).expand_as(items)
        return Drawn(rows[some], items[some])
