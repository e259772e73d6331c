"""The neighbours form in memory, and the rule that makes scores of neighbours."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np

from nightreel.models.contract import Capability
from nightreel.models.engine.catalogue import Floats, Ints, Ranked, best_columns
from nightreel.models.forms.arrays import (
    ArrayModel,
    Bools,
    Explanation,
    Lists,
    Numbers,
    Predicted,
    Ratings,
    Side,
    is_known,
    lists_of,
    with_fallback,
)


@dataclass(frozen=True)
class NeighbourRule:
    """How a score comes from neighbours. x: a user or item of the table; y: of the other side; r: a training rating.

    `rank`: score(user, item) = sum(w v) over the neighbours in the history; v = 1 for a positive (r >= min_rating),
    else `below`.
    `weighted_mean`: base + scale_x * sum(w v) / sum(|w|) over the k strongest neighbours of x that y has a rating with,
    v = (r - bias_x' - bias_y) / scale_x' of neighbour x', base = bias_x + bias_y.
    `mean`: base + sum(w) / count over all those neighbours.
    """

    axis: Literal["item", "user"]
    """Whose neighbours the table holds."""
    combine: Literal["rank", "weighted_mean", "mean"]
    k: int = 0
    """0: all."""
    min_support: int = 1
    """With fewer neighbours the prediction is the base, or without biases the mean rating of x."""
    min_rating: float = 0.0
    below: float = 0.0
    biased: bool = True

    @property
    def other(self) -> str:
        return "user" if self.axis == "item" else "item"


@dataclass(frozen=True)
class NeighbourArrays(ArrayModel):
    """The form in memory.

    users, items : without factors. For `rank` an item's bias is its share of positives, which ranks for users without
        any; the other biases are those of the rule
    table : for each x its neighbours, the strongest first, and their weights
    scale : (x,)
    ratings : the training rows
    """

    rule: NeighbourRule
    users: Side
    items: Side
    table: Lists
    scale: Floats
    ratings: Ratings
    global_mean: float
    capabilities: frozenset[Capability]

    def predict(self, user_idx: Ints, item_idx: Ints) -> Predicted:
        self.require(Capability.PREDICT)
        mine, other = (self.items, self.users) if self.rule.axis == "item" else (self.users, self.items)
        rows, groups = (item_idx, user_idx) if self.rule.axis == "item" else (user_idx, item_idx)
        rows, groups = (
            np.where(is_known(index, side.known), index, -1) for index, side in ((rows, mine), (groups, other))
        )
        base = mine.bias[rows].astype(np.float64) + other.bias[groups]
        score = combined(
            self.rule, self.table, rows, groups, self._values, base=base, scale=self.scale[rows],
            mean=mine.mean_rating[rows],
        )  # fmt: skip
        return with_fallback(
            score, user_idx, item_idx, users=self.users, items=self.items, global_mean=self.global_mean
        )

    @cached_property
    def _values(self) -> Lists:
        """For each y the x it has ratings with, and their values."""
        rows = self.ratings
        if self.rule.axis == "item":
            mine, other, x, y = self.items, self.users, rows.item_idx, rows.user_idx
        else:
            mine, other, x, y = self.users, self.items, rows.user_idx, rows.item_idx
        return lists_of(y, x, values_of(self.rule, rows.rating, mine.bias[x], other.bias[y], self.scale[x]),
                        n_rows=len(other.bias))  # fmt: skip

    def recommend(self, user_idx: Ints, *, n: int, seen: Lists) -> Ranked:
        self.require(Capability.RECOMMEND)
        left = (self._histories if self.rule.axis == "item" else self.table).of(user_idx)
        if len(user_idx) == 1:  # numba loads longer than this takes
            return _best_for_one(left, self._right, items=self.items.known, prior=self.items.bias, n=n, seen=seen)
        from nightreel.models.engine.neighbour_scores import best_items

        return best_items(left, self._right, items=self.items.known, prior=self.items.bias, n=n, seen=seen)

    def with_users(self, ratings: Ratings) -> NeighbourArrays:
        if self.rule.axis == "user" or self.rule.combine != "rank":
            return super().with_users(ratings)  # type: ignore[return-value]
        return replace(self, users=Side.of(ratings.user_means), ratings=ratings)

    def explain(self, user_idx: int, item_idx: int, ratings: Ratings) -> Explanation:
        if self.rule.axis == "user":
            return super().explain(user_idx, item_idx, ratings)
        _, items, values = self._counted.of(np.array([user_idx]))
        neighbours, weights = self.table.of(np.array([item_idx]))[1:]
        there = np.isin(neighbours, items)
        neighbours, weights = neighbours[there], weights[there].astype(np.float64)
        values = values[np.searchsorted(items, neighbours)]
        if self.rule.combine == "rank":
            how = "by neighbours: the weight of each rated item with this one"
            amounts, base = weights * values, 0.0
        else:
            k, how = self.rule.k or len(weights), "by neighbours: the mean of the nearest items' ratings, by similarity"
            by_weight = self.rule.combine == "weighted_mean"
            neighbours, weights, values = neighbours[:k], weights[:k], values[:k]
            total = np.abs(weights).sum() if by_weight else len(weights)
            amounts = weights * values / total * (self.scale[item_idx] if by_weight else 1.0)
            base = float(self.items.bias[item_idx]) + float(self.users.bias[user_idx])
        return Explanation(base + float(amounts.sum()), base, neighbours, amounts, 0.0, how)

    @property
    def _counted(self) -> Lists:
        return self._histories if self.rule.combine == "rank" else self._values

    @cached_property
    def _histories(self) -> Lists:
        """For each user the items, and what they count."""
        return histories_of(self.ratings, min_rating=self.rule.min_rating, below=self.rule.below)

    @cached_property
    def _right(self) -> Lists:
        return self.table.transposed(len(self.items.bias)) if self.rule.axis == "item" else self._histories


def _best_for_one(left: Lists, right: Lists, *, items: Bools, prior: Floats, n: int, seen: Lists) -> Ranked:
    """As engine.neighbour_scores.best_items, for a single row."""
    scores = np.zeros((1, len(items)), np.float32) if len(left.ids) else prior[None].copy()
    for middle, value in zip(left.ids.tolist(), left.values.tolist(), strict=True):
        part = right.of(np.array([middle]))
        scores[0, part.ids] += np.float32(value) * part.values  # each id once
    scores[0, ~items] = -np.inf
    scores[0, seen.ids[(seen.ids >= 0) & (seen.ids < len(items))]] = -np.inf
    row, rank, item_idx, score = best_columns(scores, min(n, int(items.sum())))
    return Ranked(row, rank, item_idx.astype(np.int32), score)


def histories_of(ratings: Ratings, *, min_rating: float, below: float) -> Lists:
    """For each user the items, ascending, with 1 for a positive and `below` for another; not those that count 0."""
    values = np.where(ratings.rating >= min_rating, 1.0, below).astype(np.float32)
    counts = values != 0
    return lists_of(ratings.user_idx[counts], ratings.item_idx[counts], values[counts], n_rows=ratings.n_users)


def ranker(ratings: Ratings, rule: NeighbourRule, table: Lists, *, can: frozenset[Capability]) -> NeighbourArrays:
    """A model that ranks by the table's weights, and for users without a history by what is popular."""
    liked = np.bincount(ratings.item_idx[ratings.rating >= rule.min_rating], minlength=ratings.n_items)
    return NeighbourArrays(
        rule=rule,
        users=Side.of(ratings.user_means),
        items=Side.of(ratings.item_means, bias=liked / np.count_nonzero(ratings.by_user.counts)),
        table=table,
        scale=np.ones(len(table.counts), np.float32),
        ratings=ratings,
        global_mean=ratings.mean,
        capabilities=can,
    )


def values_of(rule: NeighbourRule, rating: Any, bias: Any, other_bias: Any, scale: Any) -> Any:
    """What a training row counts in a mean; arrays or columns."""
    return (rating - bias - other_bias) / scale if rule.combine == "weighted_mean" else rating * 0 + 1


def combined(
    rule: NeighbourRule, table: Lists, rows: Ints, groups: Ints, histories: Lists, *, base: Numbers, scale: Numbers,
    mean: Numbers,
) -> Numbers:  # fmt: skip
    """(pairs,) float64: the rule's predictions; of pairs with an unknown side, whatever comes."""
    from nightreel.models.engine.neighbour_scores import estimates

    by_weight = rule.combine == "weighted_mean"
    estimate, support = estimates(table, rows, groups, histories, k=rule.k, by_weight=by_weight)
    enough = (support >= rule.min_support) & ~np.isnan(estimate)
    alone = base if rule.biased else mean
    return np.where(enough, base + (scale if by_weight else 1.0) * estimate, alone)
