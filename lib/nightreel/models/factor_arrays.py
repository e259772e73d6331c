"""Columns of biases, factors and seen items, from Arrow to numpy without copies where all rows have factors."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nightreel.errors import DataError
from nightreel.models.catalogue import Catalogue, Floats, Ints, Users


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


def _numbers(column: pa.Array | pa.ChunkedArray) -> Floats:
    numbers: Floats = pc.fill_null(_whole(column), 0.0).to_numpy(zero_copy_only=False)
    return numbers.astype(np.float32, copy=False)


def _lengths(lists: pa.ListArray) -> Ints:
    lengths: Ints = pc.fill_null(lists.value_lengths(), 0).to_numpy(zero_copy_only=False)
    return lengths


def _whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
