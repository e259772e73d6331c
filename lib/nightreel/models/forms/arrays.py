"""Ratings and trained models in memory: what an algorithm that runs in one process takes, and what it gives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nightreel.errors import CapabilityError, DataError
from nightreel.models.contract import Capability
from nightreel.models.engine.catalogue import Floats, Ints, Ranked, factor_matrix, seen_lists

Bools: TypeAlias = npt.NDArray[np.bool_]
Numbers: TypeAlias = npt.NDArray[np.floating[Any]]


class Lists(NamedTuple):
    """A list of (id, value) for each row: a sparse matrix by rows.

    starts : (rows + 1,) int64; row r has the entries from starts[r] to before starts[r + 1]
    ids : (entries,) int32
    values : (entries,) float32
    """

    starts: Ints
    ids: Ints
    values: Floats

    @property
    def counts(self) -> Ints:
        counts: Ints = np.diff(self.starts)
        return counts

    def of(self, rows: Ints) -> Lists:
        """The lists of these rows, in their order; a row out of range has an empty list."""
        known = (rows >= 0) & (rows < len(self.starts) - 1)
        places = np.where(known, rows, 0)
        first = self.starts[places] if len(self.starts) > 1 else np.zeros(len(rows), np.int64)
        counts = np.where(known, self.starts[np.minimum(places + 1, len(self.starts) - 1)] - first, 0)
        starts = np.concatenate([[0], np.cumsum(counts)])
        entries = np.arange(starts[-1]) + np.repeat(first - starts[:-1], counts)
        return Lists(starts, self.ids[entries], self.values[entries])

    def only(self, wanted: Ints) -> Lists:
        """The lists with no other ids than these."""
        marked = np.zeros(int(max(self.ids.max(initial=-1), wanted.max(initial=-1))) + 1, np.bool_)
        marked[wanted] = True
        kept = marked[self.ids]
        rows = np.repeat(np.arange(len(self.starts) - 1), self.counts)[kept]
        starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(self.starts) - 1))])
        return Lists(starts, self.ids[kept], self.values[kept])

    def transposed(self, n_ids: int) -> Lists:
        """For each id the rows that have it, ascending."""
        rows = np.repeat(np.arange(len(self.starts) - 1, dtype=np.int32), self.counts)
        return lists_of(self.ids, rows, self.values, n_rows=n_ids)


def lists_of(rows: Ints, ids: Ints, values: Numbers, *, n_rows: int) -> Lists:
    """The entries (rows, ids, values), brought together by row; within a row in the order given."""
    order = np.argsort(rows, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n_rows))])
    return Lists(starts, ids[order].astype(np.int32), values[order].astype(np.float32))


def strongest(weights: Floats, kept: int) -> Lists:
    """Of each row the `kept` weights that are largest whatever their sign, without zeros; the highest first.

    Equal ones stand in the order of their columns.
    """
    rows, width = weights.shape
    if kept >= width:
        row, ids = np.nonzero(weights)
        values = weights[row, ids]
        order = np.lexsort((ids, -values, row))
        counts = np.bincount(row, minlength=rows)
        ids, values = ids[order], values[order]
    else:
        chosen = np.argpartition(-np.abs(weights), kept - 1, axis=1)[:, :kept]
        chosen.sort(axis=1)
        best = np.take_along_axis(weights, chosen, axis=1)
        order = np.argsort(-best, axis=1, kind="stable")
        chosen, best = np.take_along_axis(chosen, order, axis=1), np.take_along_axis(best, order, axis=1)
        present = best != 0
        counts, ids, values = present.sum(axis=1), chosen[present], best[present]
    return Lists(np.concatenate([[0], np.cumsum(counts)]), ids.astype(np.int32), values.astype(np.float32))


def stacked(blocks: Sequence[Lists]) -> Lists:
    """The rows of the blocks one after another."""
    counts = np.concatenate([block.counts for block in blocks])
    ids, values = (np.concatenate([block[part] for block in blocks]) for part in (1, 2))
    return Lists(np.concatenate([[0], np.cumsum(counts)]), ids, values)


def list_columns(ids: pa.ChunkedArray, values: pa.ChunkedArray) -> Lists:
    """Columns of lists; null is an empty list."""
    numbers, counts = seen_lists(ids)
    weights, _ = seen_lists(values)
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Lists(starts, numbers.astype(np.int32), weights.astype(np.float32))


def lists_in(table: pa.Table, *, index: str, ids: str, values: str, n_rows: int = 0) -> Lists:
    """The table's lists by its column `index`; n_rows where the last may be missing."""
    lists, owners = list_columns(table.column(ids), table.column(values)), table.column(index).to_numpy()
    n_rows = max(n_rows, int(owners.max(initial=-1)) + 1)
    return lists_of(np.repeat(owners, lists.counts), lists.ids, lists.values, n_rows=n_rows)


@dataclass(frozen=True)
class Ratings:
    """Grain user x item, ordered by user_idx and item_idx.

    user_idx, item_idx : (rows,) int32
    rating : (rows,) float32
    n_users, n_items : one more than the largest index
    """

    user_idx: Ints
    item_idx: Ints
    rating: Floats
    n_users: int
    n_items: int

    @classmethod
    def of(cls, user_idx: Ints, item_idx: Ints, rating: Numbers, *, n_users: int = 0, n_items: int = 0) -> Ratings:
        """The rows in any order; n_users and n_items where some of the last users or items have no rows.

        Raises
        ------
        DataError : there are no rows
        """
        if not len(rating):
            raise DataError("no ratings to train on: the training rows are empty")
        n_users, n_items = max(n_users, int(user_idx.max()) + 1), max(n_items, int(item_idx.max()) + 1)
        order = np.argsort(user_idx.astype(np.int64) * n_items + item_idx, kind="stable")
        users, items = user_idx[order].astype(np.int32), item_idx[order].astype(np.int32)
        return cls(users, items, rating[order].astype(np.float32), n_users, n_items)

    def __len__(self) -> int:
        return len(self.rating)

    def where(self, chosen: Bools) -> Ratings:
        """The chosen rows, of as many users and items; raises DataError where none is chosen."""
        users, items, rating = self.user_idx[chosen], self.item_idx[chosen], self.rating[chosen]
        return Ratings.of(users, items, rating, n_users=self.n_users, n_items=self.n_items)

    @cached_property
    def by_user(self) -> Lists:
        """For each user the items, ascending, and the ratings."""
        return lists_of(self.user_idx, self.item_idx, self.rating, n_rows=self.n_users)

    @cached_property
    def by_item(self) -> Lists:
        """For each item the users, ascending, and the ratings."""
        return lists_of(self.item_idx, self.user_idx, self.rating, n_rows=self.n_items)

    @cached_property
    def mean(self) -> float:
        return float(self.rating.mean(dtype=np.float64))

    @cached_property
    def user_means(self) -> Floats:
        """(n_users,); NaN for a user without rows."""
        return _means(self.user_idx, self.rating, self.n_users)

    @cached_property
    def item_means(self) -> Floats:
        """(n_items,); NaN for an item without rows."""
        return _means(self.item_idx, self.rating, self.n_items)


def _means(index: Ints, rating: Floats, n: int) -> Floats:
    counts = np.bincount(index, minlength=n)
    with np.errstate(invalid="ignore"):
        means: Floats = (np.bincount(index, rating, minlength=n) / counts).astype(np.float32)
    return means


class Predicted(NamedTuple):
    """prediction : (pairs,) float32, unclipped; cold : (pairs,), the user or the item was unknown.

    uncertainty : (pairs,) float32, the standard deviation of a rating around the prediction; of models that know it
    """

    prediction: Floats
    cold: Bools
    uncertainty: Floats | None = None


class Explanation(NamedTuple):
    """Why an item has its score: score = base + sum of amounts + rest.

    base : what does not follow from the user's ratings: the mean, the item's bias
    items, amounts : (ratings,), rated items and what each gives
    rest : what the training gave beyond that, from ratings it shuffled or vectors it drew
    how : what the amounts are, as a sentence
    """

    score: float
    base: float
    items: Ints
    amounts: Numbers
    rest: float
    how: str


class ArrayModel(ABC):
    """A trained model in memory. It answers as a TrainedModel does, from arrays."""

    capabilities: frozenset[Capability]
    slow_to_explain: ClassVar[bool] = False

    @abstractmethod
    def predict(self, user_idx: Ints, item_idx: Ints) -> Predicted:
        """Ratings for pairs, both (pairs,); indices may be unknown: -1, or beyond those trained on."""

    @abstractmethod
    def recommend(self, user_idx: Ints, *, n: int, seen: Lists) -> Ranked:
        """The n best items of each user, without those of `seen`, which has a list for each entry of user_idx.

        `row` of the result is the place in user_idx; equal scores stand in the order of item_idx.
        """

    def with_users(self, ratings: Ratings) -> ArrayModel:
        """The model for the users of these ratings in place of its own, which follow from the ratings alone (fold-in).

        Raises
        ------
        CapabilityError : the model has no way to add users
        """
        raise CapabilityError("the model cannot take users that it was not trained on")

    def explain(self, user_idx: int, item_idx: int, ratings: Ratings) -> Explanation:
        """Why the user has this score for the item.

        Parameters
        ----------
        ratings : those that the user was trained on, or folded in by

        Raises
        ------
        CapabilityError : the model has no explanation
        """
        raise CapabilityError("the model has no explanations")

    def require(self, capability: Capability) -> None:
        if capability not in self.capabilities:
            raise self.cannot(capability)

    def cannot(self, capability: Capability) -> CapabilityError:
        """The error for a capability that the model lacks."""
        return CapabilityError(f"the model cannot {capability}; it can: {', '.join(sorted(self.capabilities))}")


class Side(NamedTuple):
    """The users or the items of a model, by index.

    bias : (rows,); factors : (rows, rank); mean_rating : (rows,), NaN for an index that has no training row
    """

    bias: Floats
    factors: Floats
    mean_rating: Floats

    @classmethod
    def of(cls, mean_rating: Floats, *, bias: Numbers | None = None, factors: Numbers | None = None) -> Side:
        """In float32; biases of 0 and factors of rank 0 unless given."""
        rows = len(mean_rating)
        return cls(
            np.zeros(rows, np.float32) if bias is None else bias.astype(np.float32),
            np.zeros((rows, 0), np.float32) if factors is None else factors.astype(np.float32),
            mean_rating,
        )

    @classmethod
    def laid_out(cls, rows: pa.Table, index: str, *, size: int = 0) -> Side:
        """Rows of a model's table by their index; at least `size` places, NaN as the mean rating of one without a row.

        Parameters
        ----------
        rows : columns `index` int, bias float, factors array<float>, mean_rating float
        """
        at = rows[index].to_numpy()
        rank = int(rows["factors"].combine_chunks().value_lengths().to_numpy(zero_copy_only=False).max(initial=0))
        size = max(size, int(at.max(initial=-1)) + 1)
        side = cls.of(np.full(size, np.nan, np.float32), factors=np.zeros((size, rank), np.float32))
        side.mean_rating[at], side.bias[at] = rows["mean_rating"].to_numpy(), rows["bias"].to_numpy()
        side.factors[at] = factor_matrix(rows["factors"], rank)
        return side

    @property
    def known(self) -> Bools:
        known: Bools = ~np.isnan(self.mean_rating)
        return known


def is_known(index: Ints, known: Bools) -> Bools:
    """(pairs,): whether the index lies within `known` and is marked there."""
    inside: Bools = (index >= 0) & (index < len(known))
    marked: Bools = inside & known[np.where(inside, index, 0)]
    return marked


def within(index: Ints, known: Bools) -> Ints:
    """The index, or 0 where it is unknown."""
    return np.where(is_known(index, known), index, 0)


def with_fallback(
    score: Numbers, user_idx: Ints, item_idx: Ints, *, users: Side, items: Side, global_mean: float
) -> Predicted:
    """The scores; for a cold pair the item's mean, else the user's, else the global one."""
    warm_user, warm_item = is_known(user_idx, users.known), is_known(item_idx, items.known)
    of_user = np.where(warm_user, users.mean_rating[within(user_idx, users.known)], global_mean)
    fallback = np.where(warm_item, items.mean_rating[within(item_idx, items.known)], of_user)
    cold = ~(warm_user & warm_item)
    return Predicted(np.where(cold, fallback, score).astype(np.float32), cold)
