"""Dense int indices in place of external ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from nightreel.prepare.scratch import Scratch

_SAMPLE = 4096
_BUCKETS = 64


@dataclass(frozen=True)
class Dense:
    """Interactions (grain user x item) with user_idx and item_idx beside their columns, and what the indices mean.

    users : grain user; columns user_idx int, user_id, n_ratings bigint, mean_rating double
    items : grain item; columns item_idx int, item_id, n_ratings bigint, mean_rating double
    """

    interactions: DataFrame
    users: DataFrame
    items: DataFrame
    n_users: int
    n_items: int


def densify(interactions: DataFrame, *, scratch: Scratch) -> Dense:
    """Number the users and the items 0 to n - 1 in ascending order of their ids.

    Parameters
    ----------
    interactions : grain user x item; columns user_id, item_id, rating and any others
    scratch : holds the users and items
    """
    users, n_users = dense_index(scratch.keep(_tally(interactions, "user_id")), key="user_id", index="user_idx")
    items, n_items = dense_index(scratch.keep(_tally(interactions, "item_id")), key="item_id", index="item_idx")
    users, items = scratch.keep(users), scratch.keep(items)
    indexed = interactions.join(items.select("item_id", "item_idx"), "item_id", "inner").join(
        users.select("user_id", "user_idx"), "user_id", "inner"
    )
    return Dense(indexed.select("user_idx", "item_idx", *interactions.columns), users, items, n_users, n_items)


def dense_index(rows: DataFrame, *, key: str, index: str) -> tuple[DataFrame, int]:
    """Add each row's place, from 0, in ascending order of `key`.

    The rows are sorted in buckets of neighbouring keys, never all in one place: the buckets' bounds come from a
    sample of bounded size, the place of a bucket's first row from the sizes of those before it. Both depend on
    nothing but the keys, so a task that runs again numbers the same.

    Parameters
    ----------
    rows : grain of `key`, which is unique and not null. Read three times
    index : the column to add

    Returns
    -------
    the rows: `index` int, then the columns of `rows`; and how many they are
    """
    parted = rows.withColumn("bucket", _bucket(F.col(key), _bounds(rows, key)))
    sizes = {row["bucket"]: row["count"] for row in parted.groupBy("bucket").count().collect()}
    firsts = [sum(size for other, size in sizes.items() if other < mine) for mine in range(max(sizes, default=0) + 1)]
    in_bucket = F.row_number().over(Window.partitionBy("bucket").orderBy(key))
    place = F.get(F.array(*map(F.lit, firsts)), F.col("bucket")) + in_bucket - 1
    return parted.select(place.cast("int").alias(index), *rows.columns), sum(sizes.values())


def _tally(interactions: DataFrame, key: str) -> DataFrame:
    return interactions.groupBy(key).agg(
        F.count(F.lit(1)).alias("n_ratings"), F.avg(F.col("rating").cast("double")).alias("mean_rating")
    )


def _bounds(rows: DataFrame, key: str) -> list[Any]:
    """At most _BUCKETS - 1 keys that part the rows into like shares; none where there are few rows."""
    sample = sorted(row[0] for row in rows.select(key).orderBy(F.xxhash64(key), key).limit(_SAMPLE).collect())
    if len(sample) < _SAMPLE:
        return []
    return sample[:: _SAMPLE // _BUCKETS][1:]


def _bucket(key: Column, bounds: Sequence[Any], first: int = 0) -> Column:
    """How many bounds are at or below the key, found by halving."""
    if not bounds:
        return F.lit(first)
    middle = len(bounds) // 2
    return F.when(key < bounds[middle], _bucket(key, bounds[:middle], first)).otherwise(
        _bucket(key, bounds[middle + 1 :], first + middle + 1)
    )
