"""The first n rows of an order, found by counting rather than sorting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
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
        counts = places.where(F.col(key).between(low, high)).groupBy(bucket).agg(F.count(F.lit(1))).collect()
        mine, before, size = _holding(n, sorted((row[0], row[1]) for row in counts))
        low, n = low + (mine << bits), n - before
        high = min(high, low + (1 << bits) - 1)
    return low, high, n


def _holding(n: int, counts: Sequence[tuple[int, int]]) -> tuple[int, int, int]:
    """The bucket with the n-th row, the rows before that bucket, the rows in it."""
    before = 0
    for bucket, size in counts[:-1]:
        if n <= before + size:
            return bucket, before, size
        before += size
    return counts[-1][0], before, counts[-1][1]
