"""Predictions for pairs of external ids."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from nightreel.models.contract import TrainedModel
from nightreel.settings.sections import ScaleSettings


def score_pairs(
    model: TrainedModel, pairs: DataFrame, users: DataFrame, items: DataFrame, scale: ScaleSettings
) -> DataFrame:
    """A prediction for every pair, whether or not its user and item are known.

    Parameters
    ----------
    pairs : grain pair asked for (the same pair may be asked twice); columns position bigint, user_id, item_id
    users : grain user; columns user_idx int, user_id
    items : grain item; columns item_idx int, item_id
    scale : predictions are clipped to it

    Returns
    -------
    grain pair asked for; columns position bigint, user_id, item_id, prediction float, cold boolean (the user or the
    item is unknown to the model: a fallback mean)

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
    return model.predict(indexed).select(
        "position", "user_id", "item_id", clipped.cast("float").alias("prediction"), "cold"
    )
