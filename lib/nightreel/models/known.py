"""Whom and what a trained model knows, and what is answered of others."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F


def beside_pairs(pairs: DataFrame, *, users: DataFrame, items: DataFrame) -> DataFrame:
    """The pairs with what the model has of their user and item, null where it knows none.

    Parameters
    ----------
    pairs : columns user_idx, item_idx and any others
    users, items : grain user, item; columns <side>_idx, bias float, factors array<float>, mean_rating float

    Returns
    -------
    the pairs' columns, then for both sides _<side>_bias double, _<side>_factors, _<side>_mean double: names that no
    column of the pairs has
    """
    return pairs.join(_side(users, "user"), "user_idx", "left").join(_side(items, "item"), "item_idx", "left")


def with_fallback(joined: DataFrame, score: Column, *, columns: list[str], global_mean: float) -> DataFrame:
    """`columns`, then prediction float, which is the item's mean, else the user's, else the global one where the score
    is null, and cold boolean, which tells where."""
    fallback = F.coalesce("_item_mean", "_user_mean", F.lit(global_mean))
    return joined.select(
        *(F.col(f"`{name}`") for name in columns),
        F.coalesce(score.cast("double"), fallback).cast("float").alias("prediction"),
        score.isNull().alias("cold"),
    )


def _side(table: DataFrame, side: str) -> DataFrame:
    return table.select(
        f"{side}_idx",
        F.col("bias").cast("double").alias(f"_{side}_bias"),
        F.col("factors").alias(f"_{side}_factors"),
        F.col("mean_rating").cast("double").alias(f"_{side}_mean"),
    )
