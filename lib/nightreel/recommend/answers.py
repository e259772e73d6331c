"""A trained model's answers in external ids and titles."""

from __future__ import annotations

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from nightreel.models.contract import TrainedModel
from nightreel.settings.sections import ScaleSettings


def recommend_for_all(
    model: TrainedModel,
    users: DataFrame,
    items: DataFrame,
    interactions: DataFrame,
    *,
    n: int,
    run_id: str,
    run_date: date,
) -> DataFrame:
    """The n best items of every user, without any item the user has rated.

    Parameters
    ----------
    users : grain user; columns user_idx int, user_id
    items : grain item; columns item_idx int, item_id, title
    interactions : grain user x item, of every split, because users have also seen the held-out items; columns
        user_idx, item_idx

    Returns
    -------
    grain user x rank, as gold_recommendations

    Raises
    ------
    CapabilityError : the model does not rank items
    """
    best = model.recommend(users.select("user_idx"), n=n, seen=interactions.select("user_idx", "item_idx"))
    user_ids, titles = users.select("user_idx", "user_id"), items.select("item_idx", "item_id", "title")
    named = best.join(user_ids, "user_idx", "inner").join(titles, "item_idx", "left")
    return named.select(*_run(run_id, run_date), "user_id", "rank", "item_id", "title", "score")


def similar_items(model: TrainedModel, items: DataFrame, *, n: int, run_id: str, run_date: date) -> DataFrame:
    """The n items most similar to each item.

    Parameters
    ----------
    items : grain item; columns item_idx int, item_id, title

    Returns
    -------
    grain item x rank, as gold_similar_items

    Raises
    ------
    CapabilityError : the model cannot compare items
    """
    titles = items.select("item_idx", "item_id", "title")
    similar = titles.toDF("similar_item_idx", "similar_item_id", "similar_title")
    named = model.similar(n=n).join(titles, "item_idx", "left").join(similar, "similar_item_idx", "left")
    return named.select(
        *_run(run_id, run_date), "item_id", "title", "rank", "similar_item_id", "similar_title", "similarity"
    )


def _run(run_id: str, run_date: date) -> tuple[Column, Column]:
    return F.lit(run_id).alias("run_id"), F.lit(run_date).alias("run_date")


def score_pairs(
    model: TrainedModel, pairs: DataFrame, users: DataFrame, items: DataFrame, scale: ScaleSettings
) -> DataFrame:
    """A prediction for every pair, including those of an unknown user or item.

    Parameters
    ----------
    pairs : grain row; columns position bigint, user_id, item_id. A pair may be repeated
    users : grain user; columns user_idx int, user_id
    items : grain item; columns item_idx int, item_id
    scale : predictions are clipped to it

    Returns
    -------
    grain row; columns position bigint, user_id, item_id, prediction float, cold boolean (the user or the item is
    unknown to the model, and the prediction a fallback mean), uncertainty float (standard deviation of a rating around
    the prediction; null of models without it)

    Raises
    ------
    CapabilityError : the model does not predict ratings
    """
    indexed = (
        pairs.select("position", "user_id", "item_id")
        .join(users.select("user_id", "user_idx"), "user_id", "left")
        .join(items.select("item_id", "item_idx"), "item_id", "left")
    )
    clipped = F.greatest(F.least("prediction", F.lit(scale.highest)), F.lit(scale.lowest))
    told = model.predict(indexed)
    uncertainty = F.col("uncertainty") if model.tells_uncertainty else F.lit(None).cast("float").alias("uncertainty")
    return told.select("position", "user_id", "item_id", clipped.cast("float").alias("prediction"), "cold", uncertainty)
