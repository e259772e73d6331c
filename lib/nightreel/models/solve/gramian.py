"""How often two items share a user: the items' Gramian X'X, counted in blocks of users and held dense in one place.

Imported where it is called, since loading numba takes a second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame

from nightreel.models.engine.catalogue import Floats, Ints
from nightreel.models.engine.compiled import compiled
from nightreel.models.forms.arrays import Lists, lists_of

_BLOCK_BYTES = 32 << 20


def gramian(lists: Lists, n_items: int) -> Floats:
    """(items, items) float32: sum over the lists of value x value; the part below the diagonal stays 0.

    Parameters
    ----------
    lists : of each user, the items in ascending order
    """
    total = np.zeros((n_items, n_items), np.float32)
    _add(*lists, total)
    return total


def symmetric(upper: Floats) -> Floats:
    """The part above the diagonal copied below it, in place."""
    for start in range(0, len(upper), 1024):
        stop = start + 1024
        upper[stop:, start:stop] = upper[start:stop, stop:].T
        corner = upper[start:stop, start:stop]
        corner += np.triu(corner, 1).T
    return upper


def with_gramian(
    pairs: DataFrame, use: Callable[[Floats], Iterator[pa.RecordBatch]], *, n_items: int, tasks: int, schema: str
) -> DataFrame:
    """What one task makes of the Gramian, which `tasks` tasks have counted, each for its share of the users.

    Parameters
    ----------
    pairs : grain user x item; columns user_idx int, item_idx int, value float
    use : from (n_items, n_items) float32, 0 below the diagonal, to rows of `schema`
    """
    rows_a_block = max(1, _BLOCK_BYTES // (4 * max(n_items, 1)))

    def count(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        table = pa.Table.from_batches(batches)
        if not table.num_rows:
            return
        users, items, values = (table.column(name).to_numpy() for name in ("user_idx", "item_idx", "value"))
        total = gramian(_by_user(users, items, values), n_items)
        for start in range(0, n_items, rows_a_block):
            # Of each row only what lies right of the block's corner is sent.
            block = np.ascontiguousarray(total[start : start + rows_a_block, start:])
            yield pa.RecordBatch.from_pydict({"start": pa.array([start], pa.int32()), "block": [block.tobytes()]})

    def finish(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        total = np.zeros((n_items, n_items), np.float32)
        for batch in batches:
            for start, block in zip(batch.column(0).to_pylist(), batch.column(1), strict=True):
                width = n_items - start
                total[start : start + rows_a_block, start:] += np.frombuffer(block.as_buffer(), np.float32).reshape(
                    -1, width
                )
        yield from use(total)

    counted = pairs.repartition(tasks, "user_idx").mapInArrow(count, "start int, block binary")
    return counted.repartition(1).mapInArrow(finish, schema)


def _by_user(users: Ints, items: Ints, values: Floats) -> Lists:
    """Users without rows between others are left out, so that a share of them costs no more than its rows."""
    order = np.lexsort((items, users))
    present, place = np.unique(users[order], return_inverse=True)
    return lists_of(place, items[order], values[order], n_rows=len(present))


@compiled
def _add(starts: Any, ids: Any, values: Any, total: Any) -> None:
    for row in range(len(starts) - 1):
        for first in range(starts[row], starts[row + 1]):
            for second in range(first, starts[row + 1]):
                total[ids[first], ids[second]] += values[first] * values[second]
