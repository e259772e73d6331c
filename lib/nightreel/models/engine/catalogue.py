"""The best items of many users at once, in numpy: score tiles of bounded size, exact ties, no item seen before."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from nightreel.errors import DataError

Floats: TypeAlias = npt.NDArray[np.float32]
Ints: TypeAlias = npt.NDArray[np.integer[Any]]

TILE_BYTES = 4 << 20
"""Scores worked on at a time. A few MiB stay in the processor's cache; larger tiles are slower."""

_LEAST_ROWS = 16
_LANES = 16


class Users(NamedTuple):
    """Whom to rank for.

    bias : (users,), added to their scores
    factors : (users, rank)
    seen : item_idx of the first user's seen items, then of the second's, and so on
    seen_counts : (users,), how many of `seen` are each user's
    """

    bias: Floats
    factors: Floats
    seen: Ints
    seen_counts: Ints


class Ranked(NamedTuple):
    """One entry per user and place, in that order. row : place in `Users`; rank : from 1; score : without user bias."""

    row: Ints
    rank: Ints
    item_idx: Ints
    score: Floats


_NONE_RANKED = Ranked._make(np.empty(0, kind) for kind in (np.int64, np.int64, np.int32, np.float32))


class Catalogue:
    """The item side of a factor model, laid out for scoring.

    Parameters
    ----------
    item_idx : (items,), dense indices, each once, in any order
    bias : (items,)
    factors : (items, rank); rank may be 0

    Items with a bias or factor that is not finite are left out: they cannot be ranked.
    """

    def __init__(self, item_idx: Ints, bias: Floats, factors: Floats, *, tile_bytes: int = TILE_BYTES) -> None:
        usable = np.flatnonzero(np.isfinite(bias) & np.isfinite(factors).all(axis=1))
        order = usable[np.argsort(item_idx[usable], kind="stable")]
        self.item_idx = item_idx[order].astype(np.int32)
        self.rank = factors.shape[1]
        self._tile_bytes = tile_bytes
        # The bias is one more factor, which every user likes with 1: adding it afterwards would cost another pass.
        padding = -len(order) % _LANES
        self._matrix = np.zeros((self.rank + 1, len(order) + padding), np.float32)
        self._matrix[: self.rank, : len(order)] = factors[order].T
        self._matrix[self.rank] = -np.inf
        self._matrix[self.rank, : len(order)] = bias[order]
        self._largest = float(np.abs(self._matrix[:, : len(order)]).max(initial=0.0))
        self._by_bias = np.argsort(-bias[order], kind="stable") if self.rank == 0 else None
        self._position = np.full(int(self.item_idx.max(initial=-1)) + 1, -1, np.int32)
        self._position[self.item_idx] = np.arange(len(order), dtype=np.int32)

    def __len__(self) -> int:
        return len(self.item_idx)

    def best(self, users: Users, n: int) -> Ranked:
        """The n best items of each user, equal scores in the order of item_idx.

        A user whose bias or factors are not finite gets none; one with fewer than n items left gets those.
        """
        n = min(n, len(self))
        width = max(self._matrix.shape[1] if self.rank else 0, 2 * n, 1)
        rows_a_tile = max(_LEAST_ROWS, self._tile_bytes // (4 * width))
        seen_ends = np.concatenate([[0], np.cumsum(users.seen_counts)])
        blocks = [_NONE_RANKED]
        for start in range(0, len(users.bias) if n else 0, rows_a_tile):
            stop = min(start + rows_a_tile, len(users.bias))
            seen_row, seen_position = self._seen(users, seen_ends, start, stop)
            if self._by_bias is not None:
                row, rank, column, score = self._best_by_bias(self._by_bias, seen_row, seen_position, n, stop - start)
            else:
                scores = self._scores(users.factors[start:stop])
                scores[seen_row, seen_position] = -np.inf
                row, rank, column, score = best_columns(scores, n)
            blocks.append(Ranked(row + start, rank, self.item_idx[column], score))
        ranked = Ranked._make(map(np.concatenate, zip(*blocks, strict=True)))
        finite = np.isfinite(users.bias)
        return ranked if finite.all() else Ranked._make(part[finite[ranked.row]] for part in ranked)

    def _seen(self, users: Users, ends: Ints, start: int, stop: int) -> tuple[Ints, Ints]:
        """Row in the block and position in the catalogue of each item seen; items not in the catalogue left out."""
        items = users.seen[ends[start] : ends[stop]]
        rows = np.repeat(np.arange(stop - start), users.seen_counts[start:stop])
        in_range = (items >= 0) & (items < len(self._position))
        if not in_range.all():
            items, rows = items[in_range], rows[in_range]
        positions = self._position[items]
        present = positions >= 0
        return (rows, positions) if present.all() else (rows[present], positions[present])

    def _scores(self, factors: Floats) -> Floats:
        """(users, columns); users without finite factors and the padding columns score -inf."""
        # Rows are padded too: a product of one row alone may round otherwise than the same row among others.
        left = np.zeros((len(factors) + -len(factors) % _LEAST_ROWS, self.rank + 1), np.float32)
        left[: len(factors), : self.rank] = factors
        left[: len(factors), self.rank] = 1.0
        unusable = np.flatnonzero(~np.isfinite(left).all(axis=1))
        left[unusable] = 0.0
        with np.errstate(all="ignore"):
            scores: Floats = np.matmul(left, self._matrix)[: len(factors)]
            if float(np.abs(left).max()) * self._largest * left.shape[1] >= np.finfo(np.float32).max:
                scores[np.isnan(scores)] = -np.inf
        scores[unusable] = -np.inf
        return scores

    def _best_by_bias(
        self, order: Ints, seen_row: Ints, seen_position: Ints, n: int, users: int
    ) -> tuple[Ints, Ints, Ints, Floats]:
        """Without factors the order is everybody's: each user takes its first n, leaping over the items seen."""
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        seen_at = np.sort(seen_row * len(order) + place[seen_position])
        row, seen_place = np.divmod(seen_at[np.diff(seen_at, prepend=-1) > 0], len(order))
        counts = np.bincount(row, minlength=users)
        unseen_before = seen_place - _places_in_rows(counts)
        early = unseen_before < n
        leaps = np.bincount(row[early] * n + unseen_before[early], minlength=users * n).reshape(users, n)
        chosen = np.arange(n) + np.cumsum(leaps, axis=1)
        rows, ranks = np.nonzero(chosen < len(order))
        columns = order[chosen[rows, ranks]]
        return rows, ranks + 1, columns, self._matrix[0, columns]


def best_columns(scores: Floats, n: int) -> tuple[Ints, Ints, Ints, Floats]:
    """The n largest of each row, best first, equal ones in the order of their columns; -inf is never among them.

    Partitioning whole rows would cost more than computing the scores. So the columns fall into groups, and the n-th
    largest of the groups' maxima, which at least n scores reach, leaves only about n candidates of a row to sort.

    Parameters
    ----------
    scores : (rows, columns), without NaN; n at most columns

    Returns
    -------
    row, rank (from 1), column and score of each, by row and rank
    """
    candidates = scores >= np.maximum(_reached_by_n(scores, n), np.finfo(np.float32).min)[:, None]
    flat = np.flatnonzero(candidates)
    counts = np.bincount(flat // scores.shape[1], minlength=len(scores))
    crowded = np.flatnonzero(counts > 4 * n)
    if len(crowded):
        candidates[crowded] = _exactly_n(scores[crowded], n)
        flat = np.flatnonzero(candidates)
        counts = np.bincount(flat // scores.shape[1], minlength=len(scores))
    row, column = np.divmod(flat, scores.shape[1])
    place = _places_in_rows(counts)
    board = np.full((len(scores), max(int(counts.max(initial=0)), 1)), -np.inf, np.float32)
    board[row, place] = scores.reshape(-1)[flat]
    columns = np.zeros(board.shape, np.int64)
    columns[row, place] = column
    order = np.argsort(-board, axis=1, kind="stable")[:, :n]
    rows, ranks = np.nonzero(np.arange(order.shape[1]) < counts[:, None])
    chosen = order[rows, ranks]
    return rows, ranks + 1, columns[rows, chosen], board[rows, chosen]


def _reached_by_n(scores: Floats, n: int) -> Floats:
    """For each row a value that at least n of its scores reach, and few more."""
    columns = scores.shape[1]
    groups = max(256, 4 * n + -4 * n % _LANES)
    deep = columns // groups
    if deep < 3:
        return np.partition(scores, columns - n, axis=1)[:, columns - n]
    whole = deep * groups
    maxima = scores[:, :whole].reshape(len(scores), deep, groups).max(axis=1)
    np.maximum(maxima[:, : columns - whole], scores[:, whole:], out=maxima[:, : columns - whole])
    return np.partition(maxima, groups - n, axis=1)[:, groups - n]


def _exactly_n(scores: Floats, n: int) -> npt.NDArray[np.bool_]:
    """Marks the n best of each row; of those equal to the n-th best, the first columns. Fewer where -inf is reached."""
    nth = np.partition(scores, scores.shape[1] - n, axis=1)[:, scores.shape[1] - n, None]
    above = scores > nth
    equal = (scores == nth) & (nth > -np.inf)
    room = n - np.count_nonzero(above, axis=1)
    marked: npt.NDArray[np.bool_] = above | (equal & (np.cumsum(equal, axis=1, dtype=np.int32) <= room[:, None]))
    return marked


def _places_in_rows(counts: Ints) -> Ints:
    """0, 1, 2, ... for each row."""
    return np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)


def users_of(rows: pa.RecordBatch | pa.Table, rank: int, seen: Ints, seen_counts: Ints) -> Users:
    """Columns bias float, factors array<float>; a null is a bias of 0, factors of 0. `seen` as Users has it."""
    return Users(_numbers(rows.column("bias")), factor_matrix(rows.column("factors"), rank), seen, seen_counts)


def seen_lists(column: pa.Array | pa.ChunkedArray) -> tuple[Ints, Ints]:
    """All rows' lists one after another, and the length of each; null is an empty list."""
    lists = _whole(column)
    return lists.flatten().to_numpy(zero_copy_only=False), _lengths(lists)


def catalogue_of(rows: pa.Table, rank: int) -> Catalogue:
    """Columns item_idx int, bias float, factors array<float>."""
    item_idx = _whole(rows.column("item_idx")).to_numpy(zero_copy_only=False)
    return Catalogue(item_idx, _numbers(rows.column("bias")), factor_matrix(rows.column("factors"), rank))


def factor_matrix(column: pa.Array | pa.ChunkedArray, rank: int) -> Floats:
    """(rows, rank) float32; zeros for null and empty lists.

    Raises
    ------
    DataError : a list has another length than rank and is not empty
    """
    lists = _whole(column)
    values: Floats = lists.flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
    lengths = _lengths(lists)
    filled = lengths == rank
    if not (filled | (lengths == 0)).all():
        other = int(lengths[~filled & (lengths > 0)][0])
        raise DataError(f"factors: a row has {other} and another {rank}; all rows of a model must have as many")
    if filled.all():
        return values.reshape(len(lists), rank)
    matrix: Floats = np.zeros((len(lists), rank), np.float32)
    matrix[filled] = values.reshape(-1, rank)
    return matrix


def float_lists(vectors: Floats) -> pa.ListArray:
    """(rows, rank) -> rows lists of rank floats."""
    ends = np.arange(len(vectors) + 1, dtype=np.int32) * vectors.shape[1]
    return pa.ListArray.from_arrays(ends, vectors.reshape(-1))


def _numbers(column: pa.Array | pa.ChunkedArray) -> Floats:
    numbers: Floats = pc.fill_null(_whole(column), 0.0).to_numpy(zero_copy_only=False)
    return numbers.astype(np.float32, copy=False)


def _lengths(lists: pa.ListArray) -> Ints:
    lengths: Ints = pc.fill_null(lists.value_lengths(), 0).to_numpy(zero_copy_only=False)
    return lengths


def _whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
