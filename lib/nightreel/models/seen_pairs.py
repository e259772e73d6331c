"""Which items each user has seen, brought to the users in packed blocks.

Shuffling (user_idx, item_idx) row by row, to collect each user's list, costs Spark many times what ranking all items
does. Here a task sends one row of two byte strings to each group of users, for a million pairs at a time.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from nightreel.models.catalogue import Ints

USERS_A_GROUP = 4096
_PAIRS_AT_ONCE = 1 << 20
_PACKED = "user_group int, seen_by binary, seen binary"


def packed(seen: DataFrame, *, groups: int) -> DataFrame:
    """Pairs, packed by user_idx modulo `groups`.

    Parameters
    ----------
    seen : grain user x item; columns user_idx int, item_idx int

    Returns
    -------
    grain block of pairs; columns user_group int, seen_by and seen binary: user_idx and item_idx, int32 each
    """

    def pack(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        waiting: list[pa.RecordBatch] = []
        for batch in batches:
            waiting.append(batch)
            if sum(one.num_rows for one in waiting) >= _PAIRS_AT_ONCE:
                yield _pack(waiting, groups)
                waiting = []
        if waiting:
            yield _pack(waiting, groups)

    pairs = seen.select(F.col("user_idx").cast("int"), F.col("item_idx").cast("int")).dropna()
    return pairs.mapInArrow(pack, _PACKED)


def unpacked(blocks: pa.Table, user_idx: Ints, *, groups: int) -> tuple[Ints, Ints]:
    """The seen items of one group's users.

    Parameters
    ----------
    blocks : columns seen_by, seen as `packed` gives them, all of one group
    user_idx : (users,), of the same group; pairs of other users are passed over

    Returns
    -------
    item_idx of the first user's seen items, then of the second's, and so on; and (users,) how many are whose
    """
    users, items = _numbers(blocks.column("seen_by")), _numbers(blocks.column("seen"))
    row_of = np.full(int(user_idx.max(initial=-1)) // groups + 2, -1, np.int32)
    row_of[user_idx // groups] = np.arange(len(user_idx))
    rows = row_of[np.minimum(users // groups, len(row_of) - 1)]
    asked = rows >= 0
    if not asked.all():
        rows, items = rows[asked], items[asked]
    return items[_order(rows, len(user_idx))], np.bincount(rows, minlength=len(user_idx))


def _pack(batches: list[pa.RecordBatch], groups: int) -> pa.RecordBatch:
    users, items = (np.concatenate([batch.column(side).to_numpy() for batch in batches]) for side in (0, 1))
    group = users % groups
    order = _order(group, groups)
    present, counts = np.unique(group, return_counts=True)
    ends = np.concatenate([[0], np.cumsum(counts)])
    return pa.RecordBatch.from_arrays(
        [pa.array(present, pa.int32()), _strings(users[order], ends), _strings(items[order], ends)],
        ["user_group", "seen_by", "seen"],
    )


def _order(keys: Ints, below: int) -> Ints:
    """Stable; numpy sorts 16-bit keys by radix, several times as fast as wider ones."""
    return np.argsort(keys.astype(np.uint16) if below <= 1 << 16 else keys, kind="stable")


def _strings(numbers: Ints, ends: Ints) -> pa.Array:
    offsets = (ends * numbers.itemsize).astype(np.int32)
    return pa.Array.from_buffers(pa.binary(), len(ends) - 1, [None, pa.py_buffer(offsets), pa.py_buffer(numbers)])


def _numbers(strings: pa.ChunkedArray) -> Ints:
    return np.frombuffer(b"".join(strings.to_pylist()), np.int32)
