"""Alternating least squares over blocks of users and of items on the executors.

The rows are packed once, by user and by item, into blocks of compressed lists; a task solves one block. The other
side's vectors reach it as a file that it maps into memory, where there is a folder that all reach, else with the task.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from nightreel.errors import DataError
from nightreel.models.engine.catalogue import Floats, Ints, float_lists
from nightreel.models.forms.arrays import Lists, lists_of
from nightreel.models.solve.loss import Loss
from nightreel.models.solve.spark_als import cut

MOST_FLOATS = 1 << 30
"""Of one side's vectors, which the driver holds and every task maps: 4 GiB."""
_ROWS_A_BLOCK = 1_000_000
_PACKED = "block int, starts binary, ids binary, values binary"
_SOLVED = "block int, rows binary, squares double, penalty double"


@dataclass(frozen=True)
class Side:
    """The rows by user, or by item: block b has the lists of b, b + n_blocks, b + 2 n_blocks ...

    blocks : grain block; columns block int, starts binary (int64), ids binary (int32), values binary (float32)
    """

    blocks: DataFrame
    n_blocks: int
    n_rows: int


class Packed(NamedTuple):
    """The same rows by user and by item."""

    users: Side
    items: Side


Load = Callable[[], Floats]
"""Gives a side's vectors in a task."""


class Size(NamedTuple):
    """users, items: one more than the largest index."""

    rows: int
    users: int
    items: int


def size_of(rows: DataFrame, *, rank: int) -> Size:
    """How much there is to factorise.

    Raises
    ------
    DataError : there are no rows, or more vectors than MOST_FLOATS
    """
    count, users, items = rows.agg(F.count("*"), F.max("user_idx"), F.max("item_idx")).collect()[0]
    if not count:
        raise DataError("no ratings to train on: the training rows are empty")
    for what, last in (("users", users), ("items", items)):
        if (last + 1) * rank > MOST_FLOATS:
            raise DataError(
                f"{last + 1:,} {what} of rank {rank}: their vectors would take more than {4 * MOST_FLOATS >> 30} GiB"
            )
    return Size(count, users + 1, items + 1)


def pack(rows: DataFrame, size: Size, *, blocks: int = 0) -> Packed:
    """The rows by user and by item, computed once.

    Parameters
    ----------
    rows : grain user x item; columns user_idx int, item_idx int, rating float
    blocks : of each side; 0: one for each million rows, and two more
    """
    n_blocks = blocks or 2 + size.rows // _ROWS_A_BLOCK
    of_users = Side(_packed(rows, "user_idx", "item_idx", n_blocks), n_blocks, size.users)
    return Packed(of_users, Side(_packed(rows, "item_idx", "user_idx", n_blocks), n_blocks, size.items))


def _packed(rows: DataFrame, own: str, other: str, n_blocks: int) -> DataFrame:
    block = F.pmod(F.col(own), F.lit(n_blocks)).cast("int").alias("block")

    def lists(group: pa.Table) -> pa.Table:
        owners, others, values = (group.column(name).to_numpy() for name in (own, other, "rating"))
        order = np.lexsort((others, owners))  # the order of a row's entries decides the last bits of its sums
        place = owners[order] // n_blocks
        packed = lists_of(place, others[order], values[order], n_rows=int(place.max()) + 1)
        columns = [pa.array([part.tobytes()], pa.binary()) for part in (packed.starts.astype(np.int64), *packed[1:])]
        return pa.table([group.column("block")[:1], *columns], names=["block", "starts", "ids", "values"])

    grouped = rows.select(block, own, other, F.col("rating").cast("float").alias("rating")).groupBy("block")
    return cut(grouped.applyInArrow(lists, _PACKED).repartitionById(n_blocks, F.col("block")))


Solve = Callable[[Lists, Floats, Floats, Ints], tuple[Floats, Loss]]
"""From a block's lists, the other side's vectors, the block's own and the indices of its rows: the new ones, and what
they leave."""


def solve_side(side: Side, other: Load, own: Load, solve: Solve, *, width: int) -> tuple[Floats, Loss]:
    """What is found for the rows of a side, (rows, width), and what it leaves."""
    n_blocks = side.n_blocks

    def each(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for row in range(batch.num_rows):
                block = batch.column("block")[row].as_py()
                mine = np.ascontiguousarray(own()[block::n_blocks])
                lists = _unpacked(batch, row)
                rows = np.arange(len(lists.counts)) * n_blocks + block
                found, loss = solve(lists, other(), mine, rows)
                yield pa.RecordBatch.from_pydict(
                    {
                        "block": pa.array([block], pa.int32()),
                        "rows": [found.tobytes()],
                        "squares": [loss.squares],
                        "penalty": [loss.penalty],
                    }
                )

    found = side.blocks.mapInArrow(each, _SOLVED).toArrow()
    whole = np.zeros((side.n_rows, width), np.float32)
    for block, part in zip(found["block"].to_pylist(), found["rows"], strict=True):
        rows = np.frombuffer(part.as_buffer(), np.float32).reshape(-1, width)
        whole[block::n_blocks][: len(rows)] = rows
    return whole, Loss(sum(found["squares"].to_pylist()), sum(found["penalty"].to_pylist()))


def _unpacked(batch: pa.RecordBatch, row: int) -> Lists:
    kinds = {"starts": np.int64, "ids": np.int32, "values": np.float32}
    starts, ids, values = (np.frombuffer(batch.column(name)[row].as_buffer(), kind) for name, kind in kinds.items())
    return Lists(starts, ids, values)


@contextmanager
def shipping(folder: str) -> Iterator[Callable[[str, Floats], Load]]:
    """How the vectors of a side, by its name, reach the tasks: with the task, or by a folder that all reach.

    There each side has a file with its newest vectors, written once; they are gone afterwards.
    """
    if not folder:
        yield lambda _, vectors: lambda: vectors
        return
    Path(folder).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="vectors-", dir=folder) as files:
        sent: dict[str, Floats] = {}

        def ship(side: str, vectors: Floats) -> Load:
            path = Path(files) / f"{side}.npy"
            if sent.get(side) is not vectors:
                with path.with_suffix(".new").open("wb") as file:
                    np.save(file, vectors)
                path.with_suffix(".new").replace(path)
                sent[side] = vectors
            return partial(_mapped, str(path))

        yield ship


def _mapped(path: str) -> Floats:
    return np.asarray(np.load(path, mmap_mode="c"))


def as_rows(spark: SparkSession, vectors: Floats, key: str, *, zeros: bool) -> DataFrame:
    """Grain row of the side; columns `key` int, factors array<float>; those of zeros alone if wanted."""
    idx = np.arange(len(vectors)) if zeros else np.flatnonzero(vectors.any(axis=1))
    table = pa.table({key: pa.array(idx, pa.int32()), "factors": float_lists(np.ascontiguousarray(vectors[idx]))})
    return spark.createDataFrame(table)
