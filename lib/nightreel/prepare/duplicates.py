"""One rating of each user and item."""

from __future__ import annotations

from typing import Literal

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


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
