"""Which ratings train, which validate and which test."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from nightreel.errors import DataError
from nightreel.settings import SplitSettings

_COUNTED_BITS = 14
_FEW = 10_000
_HASHES = 1 << 63
_NO_TIME = (1 << 62) - 1
"""Sorts a rating without a time after all others."""


def split(interactions: DataFrame, settings: SplitSettings, *, pairs: DataFrame | None = None) -> DataFrame:
    """Mark each rating as train, validation or test.

    A rating's hash is xxhash64(user_id, item_id, seed): it depends on nothing else, so other rows may come and go.

    - random: the ratings with the smallest hashes are test, the next validation. A share is a share of the
      hashes' range, so no rating's mark depends on another; a number of rows is met exactly.
    - per_user: the same within each user; a share of n ratings is n * share, rounded half up.
    - chronological: the latest ratings are test, those before them validation; a share is rounded half up.
    - chronological_per_user: the same within each user.
    - leave_one_out: each user's latest rating is test; the one before is validation if the settings want any.
    - probe, published: `pairs` are test; validation is drawn from the rest as in random.

    Equally late ratings are ordered by their hashes, and a missing time counts as the oldest. In the strategies within
    users, a number of rows counts for each user, and at least one rating of each user remains for training.

    Parameters
    ----------
    interactions : grain user x item; columns user_id, item_id, rated_at and any others
    pairs : the pairs to test, for strategies probe and published; repeats allowed; columns user_id, item_id

    Returns
    -------
    grain user x item; the columns of `interactions`, then split

    Raises
    ------
    DataError : a chronological strategy, and no rating has a time; strategy probe or published without pairs
    """
    needs_times = "chronological" in settings.strategy or settings.strategy == "leave_one_out"
    if needs_times and interactions.agg(F.max("rated_at")).collect()[0][0] is None:
        raise DataError(
            f'split.strategy = "{settings.strategy}": no rating has a time; '
            "without times it must be random, per_user or probe"
        )
    if settings.strategy in {"probe", "published"}:
        return _by_pairs(interactions, settings, pairs)
    if settings.strategy == "random":
        return _marked(interactions, *_at_random(interactions, settings))
    if settings.strategy == "chronological":
        age = F.coalesce(-F.unix_micros("rated_at"), F.lit(_NO_TIME))
        return _marked(interactions, *_first_rows(interactions, settings, [age, _hash(settings)]))
    return _within_users(interactions, settings)


def _at_random(rows: DataFrame, settings: SplitSettings) -> tuple[Column, Column]:
    if settings.test_rows or settings.validation_rows:
        return _first_rows(rows, settings, [_hash(settings)])
    place = _hash(settings)
    test = int(settings.test_share * _HASHES)
    return place < test, place < test + int(settings.validation_share * _HASHES)


def _first_rows(rows: DataFrame, settings: SplitSettings, keys: Sequence[Column]) -> tuple[Column, Column]:
    total = rows.count()
    test = min(total, settings.test_rows or int(settings.test_share * total + 0.5))
    validation = min(total - test, settings.validation_rows or int(settings.validation_share * total + 0.5))
    in_test = is_among_first(rows, test, keys=keys)
    return in_test, is_among_first(rows, test + validation, keys=keys) if validation else in_test


def is_among_first(rows: DataFrame, n: int, *, keys: Sequence[Column]) -> Column:
    """True for exactly the first n rows: a comparison with the n-th row, the only one collected.

    Rows are ordered by `keys`, then by user_id and item_id. Histograms of at most 16,384 buckets narrow down the n-th
    row's keys; only the few rows in the last bucket are sorted.

    Parameters
    ----------
    rows : grain user x item; columns user_id, item_id and those of `keys`. Read up to five times
    n : at most the number of rows
    keys : bigint, not null
    """
    if n <= 0:
        return F.lit(False)
    ids = ["user_id", "item_id"]
    named = {f"key{number}": key for number, key in enumerate(keys)}
    candidates = rows.select(*[key.alias(name) for name, key in named.items()], *ids)
    for name in named:
        low, high, count = candidates.agg(F.min(name), F.max(name), F.count("*")).collect()[0]
        if count <= _FEW:
            break
        low, high, n = _narrow(candidates, name, n, low=low, high=high)
        candidates = candidates.where(F.col(name).between(low, high))
    nth = candidates.orderBy(*named, *ids).offset(n - 1).limit(1).first()
    if nth is None:
        return F.lit(True)
    types = dict(candidates.dtypes)
    last = F.struct(*[F.lit(nth[name]).cast(types[name]).alias(name) for name in [*named, *ids]])
    return F.struct(*[key.alias(name) for name, key in named.items()], *ids) <= last


def _narrow(rows: DataFrame, key: str, n: int, *, low: int, high: int) -> tuple[int, int, int]:
    """A range of the key with the n-th row in it, few rows or one key value; and the row's position in the range."""
    size = _FEW + 1
    while size > _FEW and low < high:
        # The width is a power of two: buckets are then exact in 64-bit integers.
        bits = max(0, (high - low).bit_length() - _COUNTED_BITS)
        bucket = F.shiftright(F.col(key) - F.lit(low), bits).alias("bucket")
        inside = rows.where(F.col(key).between(low, high))
        buckets = sorted(inside.groupBy(bucket).agg(F.count("*"), F.min(key), F.max(key)).collect())
        after = [*accumulate(rows_in for _, rows_in, *_ in buckets)]
        place = min(bisect_left(after, n), len(buckets) - 1)
        _, size, low, high = buckets[place]
        n -= after[place] - size
    return low, high, n


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
    marked = _marked(placed, place <= test, place <= F.least(test + validation, n - 1))
    return marked.select(*rows.columns, "split")


def _of_each_user(settings: SplitSettings, n: Column) -> tuple[Column, Column]:
    """How many of a user's n ratings are test and validation, before one is reserved for training."""
    if settings.strategy == "leave_one_out":
        return F.lit(1), F.lit(1 if settings.validation_share or settings.validation_rows else 0)
    return (
        F.lit(settings.test_rows) if settings.test_rows else F.floor(n * settings.test_share + 0.5),
        F.lit(settings.validation_rows) if settings.validation_rows else F.floor(n * settings.validation_share + 0.5),
    )


def _by_pairs(rows: DataFrame, settings: SplitSettings, pairs: DataFrame | None) -> DataFrame:
    if pairs is None:
        raise DataError(f'split.strategy = "{settings.strategy}": no pairs were given')
    marked = pairs.select("user_id", "item_id").distinct().withColumn("is_pair", F.lit(True))
    joined = rows.join(marked, ["user_id", "item_id"], "left")
    rest = settings.model_copy(update={"strategy": "random", "test_share": 0.0, "test_rows": 0})
    _, validation = _at_random(joined.where(F.col("is_pair").isNull()), rest)
    return _marked(joined, F.col("is_pair").isNotNull(), validation).select(*rows.columns, "split")


def _marked(rows: DataFrame, test: Column, validation: Column) -> DataFrame:
    """`validation` may overlap `test`, which takes precedence."""
    mark = F.when(test, "test").when(validation, "validation").otherwise("train")
    return rows.select(*rows.columns, mark.alias("split"))


def _hash(settings: SplitSettings) -> Column:
    """0 to 2^63 - 1."""
    return F.shiftrightunsigned(F.xxhash64("user_id", "item_id", F.lit(settings.seed).cast("bigint")), 1)
