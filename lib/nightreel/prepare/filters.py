"""One rating for each pair, and only users and items with enough ratings to learn from."""

from __future__ import annotations

from typing import Literal

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from nightreel.errors import DataError
from nightreel.prepare.cache import Cache
from nightreel.settings import FilterSettings


def deduplicate(ratings: DataFrame, *, rule: Literal["latest", "sum"] = "latest") -> DataFrame:
    """The latest rating of each (user, item) pair, or the sum of the pair's ratings at the time of the latest.

    A missing time counts as the oldest. Of equally late ratings the one with the highest file_id stays, then the
    highest rating.

    Parameters
    ----------
    ratings : grain rating as delivered; columns user_id, item_id, rating, rated_at, file_id

    Returns
    -------
    grain user x item; columns user_id, item_id, rating, rated_at, deliveries bigint (number of ratings of
    the pair); hash-partitioned by user_id
    """
    # Partitioned by user alone: later steps by user need no further shuffle.
    by_user = ratings.repartition("user_id")
    pairs = by_user.groupBy("user_id", "item_id").agg(
        F.max(F.struct("rated_at", "file_id", "rating")).alias("latest"),
        F.sum("rating").cast("float").alias("total"),
        F.count("*").alias("deliveries"),
    )
    rating = F.col("latest.rating" if rule == "latest" else "total").alias("rating")
    return pairs.select("user_id", "item_id", rating, "latest.rated_at", "deliveries")


def keep_active(ratings: DataFrame, settings: FilterSettings, *, cache: Cache) -> DataFrame:
    """The ratings of users and items that reach the thresholds.

    A quantile q stands for a number of ratings: the smallest count such that a share of at least q of all users (items)
    have no more, before any filter. The threshold is that count or the minimum, whichever is larger. Without `iterate`,
    users and items are both counted on the unfiltered ratings, so a user may end with fewer ratings than the
    threshold; with it, the filters repeat until neither drops a row.

    Parameters
    ----------
    ratings : grain user x item; columns user_id, item_id and any others. Read several times
    cache : persists the ids that stay

    Returns
    -------
    grain user x item; the columns of `ratings`
    """
    min_user = _threshold(ratings, "user_id", settings.min_ratings_per_user, settings.user_quantile)
    min_item = _threshold(ratings, "item_id", settings.min_ratings_per_item, settings.item_quantile)
    if max(min_user, min_item) <= 1:
        return ratings
    users = cache.persist(_with_at_least(ratings, "user_id", min_user))
    items = cache.persist(_with_at_least(ratings, "item_id", min_item))
    if settings.iterate:
        users, items = _core(ratings, users, items, min_user=min_user, min_item=min_item)
    return _among(ratings, users, items).select(*ratings.columns)


def nothing_left(ratings: DataFrame, settings: FilterSettings) -> DataError:
    """The error for filters that drop every rating: it names the settings and the largest counts."""
    by_user, of_item = (_counts(ratings, key).agg(F.max("n")).collect()[0][0] for key in ("user_id", "item_id"))
    given = ", ".join(f"{name} = {str(value).lower()}" for name, value in settings.model_dump().items())
    return DataError(
        f"filter: {given}: leaves no rating; the largest counts are {by_user:,} ratings by one user "
        f"and {of_item:,} of one item"
    )


def _among(ratings: DataFrame, users: DataFrame, items: DataFrame) -> DataFrame:
    return ratings.join(items, "item_id", "left_semi").join(users, "user_id", "left_semi")


def _core(
    ratings: DataFrame, users: DataFrame, items: DataFrame, *, min_user: int, min_item: int
) -> tuple[DataFrame, DataFrame]:
    """The largest sets of users and items that all reach the thresholds among themselves."""
    size, before = (users.count(), items.count()), None
    while size != before:
        rows = _among(ratings, users, items)
        # The plan of each round contains the plan of the round before twice: checkpoints cut it.
        users = _with_at_least(rows, "user_id", min_user).checkpoint()
        items = _with_at_least(rows, "item_id", min_item).checkpoint()
        size, before = (users.count(), items.count()), size
    return users, items


def _threshold(ratings: DataFrame, key: str, minimum: int, quantile: float) -> int:
    if quantile == 0:
        return minimum
    at_quantile = F.expr(f"percentile_disc({quantile}D) WITHIN GROUP (ORDER BY n)")
    return max(minimum, int(_counts(ratings, key).agg(at_quantile).collect()[0][0] or 0))


def _with_at_least(ratings: DataFrame, key: str, minimum: int) -> DataFrame:
    return _counts(ratings, key).where(F.col("n") >= minimum).select(key)


def _counts(ratings: DataFrame, key: str) -> DataFrame:
    return ratings.groupBy(key).agg(F.count(F.lit(1)).alias("n"))
