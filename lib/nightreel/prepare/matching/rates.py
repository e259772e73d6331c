"""How many items found their film, by which rule, and why the others did not."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F


def match_rates(items: DataFrame) -> DataFrame:
    """Counts and shares by rule or reason.

    Parameters
    ----------
    items : grain item; columns matched_by string, metadata_id, n_ratings bigint

    Returns
    -------
    grain rule, or reason for no match; as silver_match_rates
    """
    counts = items.groupBy("matched_by").agg(
        (F.count("metadata_id") > 0).alias("matched"),
        F.count(F.lit(1)).alias("items"),
        F.sum("n_ratings").alias("ratings"),
    )
    return counts.select(
        "matched_by",
        "matched",
        "items",
        _share("items").alias("item_share"),
        "ratings",
        _share("ratings").alias("rating_share"),
    )


def _share(count: str) -> Column:
    return F.col(count) / F.sum(count).over(Window.partitionBy(F.lit(1)))
