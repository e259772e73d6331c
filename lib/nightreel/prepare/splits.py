"""Which ratings train, which validate and which test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Row, Window
from pyspark.sql import functions as F

from nightreel.errors import DataError
from nightreel.settings import SplitSettings

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


_HASHES = 1 << 63
_NO_TIME = (1 << 62) - 1


def split(interactions: DataFrame, settings: SplitSettings, *, probe: DataFrame | None = None) -> DataFrame:
    """Mark each rating as train, validation or test.

    A rating's hash is xxhash64(user_id, item_id, seed): it changes with nothing but these three, so other rows
    may come and go.

    - random: the ratings with the smallest hashes are test, the next validation. A share is a share of the
      hashes' range, so each rating's mark is its own; a number of rows is met exactly.
    - per_user: the same within each user; a share of n ratings is n * share, rounded half up.
    - chronological: the latest ratings of all are test, those before validation; a share is rounded half up.
    - chronological_per_user: the same within each user.
    - leave_one_out: each user's latest rating is test, the one before validation where validation is asked.
    - probe, published: the pairs of `probe` are test; validation is drawn from the rest as by random.

    Equally late ratings stand in the order of their hashes, ratings without a time before all others. Within
    users, a number of rows is one of each user's, and at least one rating of each user remains for training.

    Parameters
    ----------
    interactions : grain user x item; columns user_id, item_id, rated_at and any others
    settings : strategy, shares or numbers of rows, seed
    probe : for strategies probe and published, the pairs to test; grain any; columns user_id, item_id

    Returns
    -------
    grain user x item; the columns of `interactions`, then split

    Raises
    ------
    DataError : a chronological strategy, and no rating has a time; strategy probe or published without the pairs
    """
    if "chronological" in settings.strategy or settings.strategy == "leave_one_out":
        _require_times(interactions, settings)
    if settings.strategy in {"probe", "published"}:
        return _by_probe(interactions, settings, probe)
    if settings.strategy == "random":
        test, validation = _at_random(interactions, settings)
    elif settings.strategy == "chronological":
        test, validation = _first_rows(interactions, settings, Order([_age(), _hash(settings)]))
    else:
        return _within_users(interactions, settings)
    return _marked(interactions, test=test, validation=validation)


def _at_random(rows: DataFrame, settings: SplitSettings) -> tuple[Column, Column]:
    if settings.test_rows or settings.validation_rows:
        return _first_rows(rows, settings, Order([_hash(settings)]))
    place = _hash(settings)
    test = int(settings.test_share * _HASHES)
    return place < test, place < test + int(settings.validation_share * _HASHES)


def _first_rows(rows: DataFrame, settings: SplitSettings, order: Order) -> tuple[Column, Column]:
    total = rows.count()
    test = min(total, settings.test_rows or _round(settings.test_share * total))
    validation = min(total - test, settings.validation_rows or _round(settings.validation_share * total))
    in_test = order.first(rows, test)
    return in_test, order.first(rows, test + validation) if validation else in_test


def _within_users(rows: DataFrame, settings: SplitSettings) -> DataFrame:
    by_user = Window.partitionBy("user_id")
    order = [_hash(settings), F.col("item_id")]
    if settings.strategy != "per_user":
        order.insert(0, F.col("rated_at").desc_nulls_last())
    place, n = F.col("place"), F.col("of_user")
    test, validation = _of_each_user(settings, n)
    test = F.least(test, n - 1)
    placed = rows.withColumns(
        {"place": F.row_number().over(by_user.orderBy(*order)), "of_user": F.count(F.lit(1)).over(by_user)}
    )
    marked = _marked(placed, test=place <= test, validation=place <= F.least(test + validation, n - 1))
    return marked.select(*rows.columns, "split")


def _of_each_user(settings: SplitSettings, n: Column) -> tuple[Column, Column]:
    """How many of a user's n ratings are test and validation, before one is left for training."""
    if settings.strategy == "leave_one_out":
        return F.lit(1), F.lit(1 if settings.validation_share or settings.validation_rows else 0)
    return (
        F.lit(settings.test_rows) if settings.test_rows else F.floor(n * settings.test_share + 0.5),
        F.lit(settings.validation_rows) if settings.validation_rows else F.floor(n * settings.validation_share + 0.5),
    )


def _by_probe(rows: DataFrame, settings: SplitSettings, probe: DataFrame | None) -> DataFrame:
    if probe is None:
        raise DataError(f'split.strategy = "{settings.strategy}": no pairs were given')
    pairs = probe.select("user_id", "item_id").distinct().withColumn("probed", F.lit(True))
    joined = rows.join(pairs, ["user_id", "item_id"], "left")
    rest = settings.model_copy(update={"strategy": "random", "test_share": 0.0, "test_rows": 0})
    _, validation = _at_random(joined.where(F.col("probed").isNull()), rest)
    return _marked(joined, test=F.col("probed").isNotNull(), validation=validation).select(*rows.columns, "split")


def _marked(rows: DataFrame, *, test: Column, validation: Column) -> DataFrame:
    """`validation` need not exclude `test`, which goes first."""
    mark = F.when(test, "test").when(validation, "validation").otherwise("train")
    return rows.select(*rows.columns, mark.alias("split"))


def _hash(settings: SplitSettings) -> Column:
    """0 to 2^63 - 1."""
    return F.shiftrightunsigned(F.xxhash64("user_id", "item_id", F.lit(settings.seed).cast("bigint")), 1)


def _age() -> Column:
    """Ascends from the latest rating to those without a time."""
    return F.coalesce(-F.unix_micros("rated_at"), F.lit(_NO_TIME))


def _require_times(rows: DataFrame, settings: SplitSettings) -> None:
    latest = rows.agg(F.max("rated_at")).first()
    if latest is None or latest[0] is None:
        raise DataError(
            f'split.strategy = "{settings.strategy}": no rating has a time; '
            "without times it must be random, per_user or probe"
        )


def _round(rows: float) -> int:
    return int(rows + 0.5)
