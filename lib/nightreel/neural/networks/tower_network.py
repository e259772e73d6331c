"""Networks whose first layer joins what is known of the user with what is known of the item."""

from __future__ import annotations

from torch import Tensor, nn

from nightreel.neural.networks.dense import PairLinear
from nightreel.neural.networks.network import Network, ParamsT


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
