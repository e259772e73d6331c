"""Users and items with ratings enough to learn from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from nightreel.errors import DataError
from nightreel.prepare.scratch import Scratch
from nightreel.settings import FilterSettings


def deduplicate(ratings: DataFrame, *, rule: Literal["latest", "sum"] = "latest") -> DataFrame:
    """The latest rating of each (user, item) pair, or the sum of the pair's ratings at the time of the latest.

    No time is older than any time. Of equally late ratings the one from the highest file_id stays, of those the
    highest rating.

    Parameters
    ----------
    ratings : grain rating as delivered; columns user_id, item_id, rating, rated_at, file_id

    Returns
    -------
    grain user x item; columns user_id, item_id, rating, rated_at, deliveries bigint (ratings of the pair, 1 where
    it was not repeated); hash-partitioned by user_id
    """
    # Partitioned by user alone: everything later that goes by user needs no further shuffle.
    by_user = ratings.repartition("user_id")
    latest = F.max(F.struct("rated_at", "file_id", "rating"))
    total = F.sum("rating").cast("float")
    pairs = by_user.groupBy("user_id", "item_id").agg(
        latest.alias("latest"), total.alias("total"), F.count(F.lit(1)).alias("deliveries")
    )
    rating = (F.col("latest.rating") if rule == "latest" else F.col("total")).alias("rating")
    return pairs.select("user_id", "item_id", rating, "latest.rated_at", "deliveries")


@dataclass(frozen=True)
class _Active:
    """Grain user, column user_id; grain item, column item_id."""

    users: DataFrame
    items: DataFrame

    def of(self, ratings: DataFrame) -> DataFrame:
        return ratings.join(self.items, "item_id", "left_semi").join(self.users, "user_id", "left_semi")


def keep_active(ratings: DataFrame, settings: FilterSettings, *, scratch: Scratch) -> DataFrame:
    """The ratings of users and items that have at least so many ratings.

    A quantile q stands for a number of ratings: the smallest count that at least the share q of all users (items)
    do not exceed, counted on the unfiltered ratings. The larger of it and the minimum is the threshold. Without
    `iterate` users and items are both counted on the unfiltered ratings, so that a user may end with fewer
    ratings than the threshold; with it, the filters repeat until neither drops a row.

    Parameters
    ----------
    ratings : grain user x item; columns user_id, item_id and any others. Read several times
    settings : thresholds
    scratch : holds the ids that stay

    Returns
    -------
    grain user x item; the columns of `ratings`
    """
    least_user = _threshold(ratings, "user_id", settings.min_ratings_per_user, settings.user_quantile)
    least_item = _threshold(ratings, "item_id", settings.min_ratings_per_item, settings.item_quantile)
    if max(least_user, least_item) <= 1:
        return ratings
    users = scratch.keep(_with_at_least(ratings, "user_id", least_user))
    items = scratch.keep(_with_at_least(ratings, "item_id", least_item))
    active = _Active(users, items)
    if settings.iterate:
        active = _core(ratings, active, least_user=least_user, least_item=least_item)
    return active.of(ratings).select(*ratings.columns)


def nothing_left(ratings: DataFrame, settings: FilterSettings) -> DataError:
    """The error to raise when `keep_active` left none of `ratings`: the settings and the largest counts."""
    most_by_user = _counts(ratings, "user_id").agg(F.max("n")).first()
    most_of_item = _counts(ratings, "item_id").agg(F.max("n")).first()
    asked = ", ".join(f"{name} = {str(value).lower()}" for name, value in settings.model_dump().items())
    return DataError(
        f"filter: {asked}: leaves no rating; the largest counts are {most_by_user[0] if most_by_user else 0:,} "
        f"ratings by one user and {most_of_item[0] if most_of_item else 0:,} of one item"
    )


def _core(ratings: DataFrame, active: _Active, *, least_user: int, least_item: int) -> _Active:
    """The largest set of users and items that all have ratings enough among themselves."""
    size = (active.users.count(), active.items.count())
    while True:
        rows = active.of(ratings)
        # Each round's plan would hold the round's before it twice over: checkpoints cut it.
        narrower = _Active(
            _with_at_least(rows, "user_id", least_user).checkpoint(),
            _with_at_least(rows, "item_id", least_item).checkpoint(),
        )
        narrower_size = (narrower.users.count(), narrower.items.count())
        if narrower_size == size:
            return active
        active, size = narrower, narrower_size


def _threshold(ratings: DataFrame, key: str, minimum: int, quantile: float) -> int:
    if quantile == 0:
        return minimum
    found = _counts(ratings, key).agg(F.expr(f"percentile_disc({quantile}D) WITHIN GROUP (ORDER BY n)")).first()
    return max(minimum, int(found[0]) if found and found[0] is not None else 0)


def _with_at_least(ratings: DataFrame, key: str, least: int) -> DataFrame:
    return _counts(ratings, key).where(F.col("n") >= least).select(key)


def _counts(ratings: DataFrame, key: str) -> DataFrame:
    return ratings.groupBy(key).agg(F.count(F.lit(1)).alias("n"))
