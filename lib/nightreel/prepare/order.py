"""The first n rows of an order, found by counting rather than sorting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

_COUNTED_BITS = 14
_FEW = 10_000


@dataclass(frozen=True)
class Order:
    """Rows ascend by `keys` (bigint, not null), then by user_id and item_id, which makes the order total."""

    keys: Sequence[Column]

    def first(self, rows: DataFrame, n: int) -> Column:
        """True for exactly the first n rows: a comparison with the n-th, whose values are all that is collected.

        The n-th row's keys are narrowed down by histograms of at most 16,384 buckets each; only the few rows that
        share the last bucket are sorted.

        Parameters
        ----------
        rows : grain user x item; columns user_id, item_id and those of `keys`. Read up to five times
        n : at most as many as there are rows
        """
        if n <= 0:
            return F.lit(False)
        names = [f"key{number}" for number in range(len(self.keys))]
        ids = ["user_id", "item_id"]
        places = rows.select(*[key.alias(name) for key, name in zip(self.keys, names, strict=True)], *ids)
        for name in names:
            extent = places.agg(F.min(name), F.max(name), F.count(F.lit(1))).first()
            if extent is None or extent[2] <= _FEW:
                break
            low, high, n = _narrow(places, name, n, low=extent[0], high=extent[1])
            places = places.where(F.col(name).between(low, high))
        nth = places.orderBy(*names, *ids).offset(n - 1).limit(1).first()
        if nth is None:
            return F.lit(True)
        types = dict(places.dtypes)
        last = F.struct(*[F.lit(nth[name]).cast(types[name]).alias(name) for name in [*names, *ids]])
        here = [key.alias(name) for key, name in zip(self.keys, names, strict=True)]
        return F.struct(*here, *ids) <= last


def _narrow(places: DataFrame, key: str, n: int, *, low: int, high: int) -> tuple[int, int, int]:
    """A range of the key that holds the n-th row and few or equal keys, and the row's place within it."""
    size = _FEW + 1
    while size > _FEW and low < high:
        # A power of two as width: the bucket is then exact in 64-bit integers.
        bits = max(0, (high - low).bit_length() - _COUNTED_BITS)
        bucket = F.shiftright(F.col(key) - F.lit(low), bits).alias("bucket")
        inside = places.where(F.col(key).between(low, high))
        found = inside.groupBy(bucket).agg(F.count(F.lit(1)).alias("size"), F.min(key), F.max(key)).collect()
        before, (_, size, low, high) = _holding(n, sorted(found))
        n -= before
    return low, high, n


def _holding(n: int, buckets: Sequence[Row]) -> tuple[int, Row]:
    """The rows before the bucket with the n-th row, and that bucket; size is a bucket's second field."""
    before = 0
    for bucket in buckets[:-1]:
        if n <= before + bucket[1]:
            return before, bucket
        before += bucket[1]
    return before, buckets[-1]
