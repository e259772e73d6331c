"""The n best items of every user, and the items nearest to every item, from factors; runs on Spark's executors."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from nightreel.errors import ConfigurationError
from nightreel.models.engine.catalogue import Catalogue, Ints, Ranked, Users, catalogue_of, seen_lists, users_of

USERS_A_GROUP = 4096
_PAIRS_AT_ONCE = 1 << 20
BLOCK_BYTES = 64 << 20
"""Item factors that travel to the executors with the task, and through the driver; more are split into such blocks."""

_BLOCK_ITEMS = 1 << 20
_RANKED = "user_idx int, rank int, item_idx int, score float"


def top_n(
    users: DataFrame, items: DataFrame, *, n: int, seen: DataFrame | None, block_bytes: int = BLOCK_BYTES
) -> DataFrame:
    """The n best items of each user by user bias + item bias + user factors . item factors.

    Equal scores stand in the order of item_idx; they are compared before the user's bias is added, which may round
    two of them to one. Null biases and null or empty factors count as zeros. What has a bias or factor that is not
    finite is left out: such a user gets no rows, such an item is never recommended.

    Parameters
    ----------
    users : grain user; columns user_idx int, bias float, factors array<float>
    items : grain item; columns item_idx int, bias float, factors array<float>; all factors that are not empty have
        the same length
    n : items a user
    seen : grain user x item (repeated pairs do no harm); columns user_idx, item_idx: never recommended to that user
    block_bytes : item factors held at once, by the driver and by a worker. Where there are more, items and users
        are shuffled in blocks and their best items merged

    Returns
    -------
    grain user x rank; columns user_idx int, rank int (from 1), item_idx int, score float. Fewer than n rows for a
    user with fewer than n items left
    """
    check_places(n)
    rank, blocks, span = _blocks(items, block_bytes)
    if not blocks:
        return users.sparkSession.createDataFrame([], _RANKED)
    if blocks > 1:
        return _rank_blocked(_with_seen(users, seen, span, blocks), items, rank=rank, span=span, n=n)
    catalogue = catalogue_of(items.select("item_idx", "bias", "factors").toArrow(), rank)
    if seen is not None:

        def best(group: pa.Table, items: Ints, counts: Ints) -> tuple[Users, Ranked]:
            side = users_of(group, catalogue.rank, items, counts)
            return side, catalogue.best(side, n)

        return rank_unseen(users.select("user_idx", "bias", "factors"), seen, best)
    nothing = F.array().cast("array<int>").alias("seen")
    return _rank(users.select("user_idx", "bias", "factors", nothing), catalogue, n)


def similar_items(items: DataFrame, *, n: int, block_bytes: int = BLOCK_BYTES) -> DataFrame:
    """The n items most similar to each item by the cosine of their factors, equal ones in the order of their index.

    Parameters
    ----------
    items : grain item; columns item_idx int, factors array<float>
    block_bytes : as for `top_n`

    Returns
    -------
    grain item x rank; columns item_idx int, rank int (from 1), similar_item_idx int, similarity float in [-1, 1].
    Never the item itself. Items whose factors are null, empty, zero or not finite have no similar items nor are any
    """
    check_places(n)
    directions = _directions(items)
    rank, blocks, span = _blocks(directions, block_bytes)
    rows = directions.select(F.col("item_idx").alias("user_idx"), "bias", "factors", F.array("item_idx").alias("seen"))
    if blocks <= 1:
        ranked = _rank(rows, catalogue_of(directions.toArrow(), rank), n)
    else:
        rows = rows.withColumn("item_block", F.explode(F.sequence(F.lit(0), F.lit(blocks - 1))))
        ranked = _rank_blocked(rows, directions, rank=rank, span=span, n=n)
    similarity = F.greatest(F.least("score", F.lit(1.0)), F.lit(-1.0)).cast("float")
    return ranked.select(
        F.col("user_idx").alias("item_idx"),
        "rank",
        F.col("item_idx").alias("similar_item_idx"),
        similarity.alias("similarity"),
    )


def check_places(n: int) -> None:
    if n < 1:
        raise ConfigurationError(f"n = {n}: must be 1 or more")


def _directions(items: DataFrame) -> DataFrame:
    """Vectors of length 1; items whose factors are null, empty, zero or not finite are left out."""

    def unit(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            lists = pc.fill_null(batch.column("factors"), [])
            values = lists.flatten().to_numpy(zero_copy_only=False).astype(np.float64)
            sizes = pc.list_value_length(lists).to_numpy(zero_copy_only=False)
            row = np.repeat(np.arange(len(lists)), sizes)
            lengths = np.sqrt(np.bincount(row, values**2, minlength=len(lists)))
            kept = np.isfinite(lengths) & (lengths > 0)
            directions = (values[kept[row]] / lengths[row][kept[row]]).astype(np.float32)
            ends = np.concatenate([[0], np.cumsum(sizes[kept])]).astype(np.int32)
            columns = [
                batch.column("item_idx").filter(pa.array(kept)),
                pa.array(np.zeros(int(kept.sum()), np.float32)),
                pa.ListArray.from_arrays(ends, pa.array(directions)),
            ]
            yield pa.RecordBatch.from_arrays(columns, ["item_idx", "bias", "factors"])

    return items.select("item_idx", "factors").mapInArrow(unit, "item_idx int, bias float, factors array<float>")


def _blocks(items: DataFrame, block_bytes: int) -> tuple[int, int, int]:
    """Factors an item, blocks the items need (0 without items), and item indices a block spans."""
    longest, largest, count = items.agg(F.max(F.size("factors")), F.max("item_idx"), F.count("*")).collect()[0]
    rank = max(longest or 0, 0)
    span = max(1, min(_BLOCK_ITEMS, block_bytes // (4 * (rank + 1))))
    return rank, min(count, 1) if count <= span else largest // span + 1, span


def _rank(rows: DataFrame, catalogue: Catalogue, n: int) -> DataFrame:
    """rows: grain user; columns user_idx, bias, factors, seen array<int>."""

    def ranked(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            users = users_of(batch, catalogue.rank, *seen_lists(batch.column("seen")))
            yield from _ranked_rows(batch.column("user_idx"), users, catalogue.best(users, n)).to_batches()

    return rows.mapInArrow(ranked, _RANKED)


def rank_unseen(
    users: DataFrame, seen: DataFrame, best: Callable[[pa.Table, Ints, Ints], tuple[Users, Ranked]]
) -> DataFrame:
    """Every group of users meets the pairs they have seen in one task.

    Parameters
    ----------
    users : grain user; column user_idx int and whatever `best` needs
    seen : grain user x item; columns user_idx, item_idx
    best : of a group's users, their seen items concatenated by user, and the number of each; runs on the executors

    Returns
    -------
    grain user x rank; as top_n
    """
    newest = users.agg(F.max("user_idx")).first()
    groups = (newest[0] if newest and newest[0] else 0) // USERS_A_GROUP + 1

    def ranked(left: pa.Table, right: pa.Table) -> pa.Table:
        user_idx = left.column("user_idx").to_numpy()
        return _ranked_rows(left.column("user_idx"), *best(left, *_unpacked(right, user_idx, groups=groups)))

    group = F.pmod("user_idx", F.lit(groups)).cast("int").alias("user_group")
    pairs = _packed(seen, groups=groups).groupBy("user_group")
    return users.select("*", group).groupBy("user_group").cogroup(pairs).applyInArrow(ranked, _RANKED)


def _ranked_rows(user_idx: pa.Array | pa.ChunkedArray, users: Users, best: Ranked) -> pa.Table:
    return pa.table(
        {
            "user_idx": user_idx.take(pa.array(best.row)),
            "rank": pa.array(best.rank, pa.int32()),
            "item_idx": pa.array(best.item_idx, pa.int32()),
            "score": pa.array(best.score + users.bias[best.row], pa.float32()),
        }
    )


def _with_seen(users: DataFrame, seen: DataFrame | None, span: int, blocks: int) -> DataFrame:
    """Every user once for each block of items, with the items seen of that block."""
    rows = users.select(
        "user_idx", "bias", "factors", F.explode(F.sequence(F.lit(0), F.lit(blocks - 1))).alias("item_block")
    )
    if seen is None:
        return rows.withColumn("seen", F.array().cast("array<int>"))
    keys = ["user_idx", "item_block"]
    lists = F.collect_list(F.col("item_idx").cast("int")).alias("seen")
    grouped = seen.withColumn("item_block", F.expr(f"item_idx div {span}").cast("int")).groupBy(*keys).agg(lists)
    return rows.join(grouped, keys, "left")


def _rank_blocked(rows: DataFrame, items: DataFrame, *, rank: int, span: int, n: int) -> DataFrame:
    """Every block of users meets every block of items in one task; rows: as _rank's, once for each item_block."""

    def ranked(left: pa.Table, right: pa.Table) -> pa.Table:
        users = users_of(left, rank, *seen_lists(left.column("seen")))
        best = catalogue_of(right, rank).best(users, n)
        rows = _ranked_rows(left.column("user_idx"), users, best)
        return rows.append_column("unbiased", pa.array(best.score, pa.float32()))

    user_blocks = rows.where(F.col("item_block") == 0).count() // span + 1
    user_block = F.pmod(F.xxhash64("user_idx"), F.lit(user_blocks)).cast("int")
    # Renamed: cogroup loses columns that both sides have from one frame, as those of similar_items.
    right = items.select(
        *(F.col(name).alias(name) for name in ("item_idx", "bias", "factors")),
        F.expr(f"item_idx div {span}").cast("int").alias("item_block"),
        F.explode(F.sequence(F.lit(0), F.lit(user_blocks - 1))).alias("user_block"),
    )
    left = rows.withColumn("user_block", user_block).groupBy("user_block", "item_block")
    merged = left.cogroup(right.groupBy("user_block", "item_block")).applyInArrow(ranked, f"{_RANKED}, unbiased float")
    place = F.row_number().over(Window.partitionBy("user_idx").orderBy(F.desc("unbiased"), "item_idx"))
    return merged.withColumn("rank", place).where(F.col("rank") <= n).select("user_idx", "rank", "item_idx", "score")


def _packed(seen: DataFrame, *, groups: int) -> DataFrame:
    """Grain block of pairs of one user_group (user_idx modulo `groups`); columns user_group int, seen_by and seen
    binary: the pairs' user_idx and item_idx, int32 each."""

    def pack(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        waiting: list[pa.RecordBatch] = []
        for batch in batches:
            waiting.append(batch)
            if sum(one.num_rows for one in waiting) >= _PAIRS_AT_ONCE:
                yield _pack(waiting, groups)
                waiting.clear()
        if waiting:
            yield _pack(waiting, groups)

    pairs = seen.select(F.col("user_idx").cast("int"), F.col("item_idx").cast("int")).dropna()
    return pairs.mapInArrow(pack, "user_group int, seen_by binary, seen binary")


def _unpacked(blocks: pa.Table, user_idx: Ints, *, groups: int) -> tuple[Ints, Ints]:
    """The `seen` and `seen_counts` (see Users) of one group's users, from `_packed` blocks of that group.

    user_idx : (users,); pairs of other users are passed over
    """
    users, items = _numbers(blocks.column("seen_by")), _numbers(blocks.column("seen"))
    row_of = np.full(int(user_idx.max(initial=-1)) // groups + 2, -1, np.int32)
    row_of[user_idx // groups] = np.arange(len(user_idx))
    rows = row_of[np.minimum(users // groups, len(row_of) - 1)]
    present = rows >= 0
    if not present.all():
        rows, items = rows[present], items[present]
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


def _order(keys: Ints, bound: int) -> Ints:
    """Stable; numpy sorts 16-bit keys by radix, several times as fast as wider ones."""
    return np.argsort(keys.astype(np.uint16) if bound <= 1 << 16 else keys, kind="stable")


def _strings(numbers: Ints, ends: Ints) -> pa.Array:
    offsets = (ends * numbers.itemsize).astype(np.int32)
    return pa.Array.from_buffers(pa.binary(), len(ends) - 1, [None, pa.py_buffer(offsets), pa.py_buffer(numbers)])


def _numbers(strings: pa.ChunkedArray) -> Ints:
    return np.frombuffer(b"".join(strings.to_pylist()), np.int32)
