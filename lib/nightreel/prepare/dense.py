"""Dense int indices in place of external ids; a known id keeps its index from night to night."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from nightreel.prepare.cache import Cache

_SAMPLE = 4096
_BUCKETS = 64


class Dense(NamedTuple):
    """Interactions with dense indices, and the external ids of the indices.

    interactions : grain user x item; user_idx int, item_idx int, then the columns given
    users : grain user; columns user_idx int, user_id, n_ratings bigint, mean_rating double
    items : grain item; columns item_idx int, item_id, n_ratings bigint, mean_rating double
    new_users, new_items : of the indices those that were not known; columns <index> int, <id>
    """

    interactions: DataFrame
    users: DataFrame
    items: DataFrame
    n_users: int
    n_items: int
    new_users: DataFrame
    new_items: DataFrame


class Known(NamedTuple):
    """The indices that ids have already; grain user, item; columns user_idx int, user_id; item_idx int, item_id."""

    users: DataFrame
    items: DataFrame


def densify(interactions: DataFrame, *, cache: Cache, known: Known | None = None) -> Dense:
    """Number the users and the items from 0 in ascending order of their ids, those that are new after those known.

    Parameters
    ----------
    interactions : grain user x item; columns user_id, item_id, rating and any others
    cache : persists the users and items
    """
    of_users, of_items = known or (None, None)
    users, n_users, new_users = _indexed(interactions, of_users, key="user_id", index="user_idx", cache=cache)
    items, n_items, new_items = _indexed(interactions, of_items, key="item_id", index="item_idx", cache=cache)
    indexed = interactions.join(items.select("item_id", "item_idx"), "item_id", "inner").join(
        users.select("user_id", "user_idx"), "user_id", "inner"
    )
    return Dense(
        indexed.select("user_idx", "item_idx", *interactions.columns),
        users,
        items,
        n_users,
        n_items,
        new_users,
        new_items,
    )


def _indexed(
    interactions: DataFrame, known: DataFrame | None, *, key: str, index: str, cache: Cache
) -> tuple[DataFrame, int, DataFrame]:
    """The counted ids with their indices, how many there are, and the indices that are new."""
    counted = cache.persist(_counted(interactions, key))
    if known is None:
        rows, count = dense_index(counted, key=key, index=index)
        rows = cache.persist(rows)
        return rows, count, rows.select(index, key)
    known = cache.persist(known.select(index, key))
    first = known.agg(F.coalesce(F.max(index), F.lit(-1))).collect()[0][0] + 1
    new, _ = dense_index(counted.join(known, key, "left_anti"), key=key, index=index, first=first)
    new = cache.persist(new)
    rows = cache.persist(counted.join(known, key).select(new.columns).unionByName(new))
    return rows, rows.count(), new.select(index, key)


def dense_index(rows: DataFrame, *, key: str, index: str, first: int = 0) -> tuple[DataFrame, int]:
    """Add each row's position, from `first`, in ascending order of `key`.

    The rows are sorted within buckets of neighbouring keys, never all in one task. The buckets' bounds come from a
    sample of bounded size, and the position of a bucket's first row from the sizes of the buckets before it. Both
    depend on nothing but the keys, so a repeated task gives the same numbers.

    Parameters
    ----------
    rows : one row for each value of `key`, none null. Read three times
    index : the column to add

    Returns
    -------
    the rows (`index` int, then the columns of `rows`), and their number
    """
    bucketed = rows.withColumn("bucket", _bucket(F.col(key), _bounds(rows, key)))
    sizes = {row["bucket"]: row["count"] for row in bucketed.groupBy("bucket").count().collect()}
    firsts = [
        first + sum(size for other, size in sizes.items() if other < mine) for mine in range(max(sizes, default=0) + 1)
    ]
    in_bucket = F.row_number().over(Window.partitionBy("bucket").orderBy(key))
    position = F.get(F.array(*map(F.lit, firsts)), F.col("bucket")) + in_bucket - 1
    return bucketed.select(position.cast("int").alias(index), *rows.columns), sum(sizes.values())


def _counted(interactions: DataFrame, key: str) -> DataFrame:
    return interactions.groupBy(key).agg(
        F.count(F.lit(1)).alias("n_ratings"), F.avg(F.col("rating").cast("double")).alias("mean_rating")
    )


def _bounds(rows: DataFrame, key: str) -> list[Any]:
    """At most _BUCKETS - 1 keys that cut the rows into about equal shares; none for a small table."""
    sample = sorted(row[0] for row in rows.select(key).orderBy(F.xxhash64(key), key).limit(_SAMPLE).collect())
    return sample[:: _SAMPLE // _BUCKETS][1:] if len(sample) == _SAMPLE else []


def _bucket(key: Column, bounds: Sequence[Any], first: int = 0) -> Column:
    """The number of bounds at or below the key, by binary search."""
    if not bounds:
        return F.lit(first)
    middle = len(bounds) // 2
    return F.when(key < bounds[middle], _bucket(key, bounds[:middle], first)).otherwise(
        _bucket(key, bounds[middle + 1 :], first + middle + 1)
    )
