"""A trained model measured on the rows it was not trained on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from nightreel.errors import DataError
from nightreel.evaluate.form import METRICS
from nightreel.evaluate.ranking import catalogue_metrics, ranking_metrics
from nightreel.evaluate.rating import rating_metrics
from nightreel.models.contract import Capability, TrainedModel
from nightreel.settings import EvaluateSettings, ScaleSettings


def evaluate(
    model: TrainedModel, interactions: DataFrame, settings: EvaluateSettings, *, scale: ScaleSettings
) -> DataFrame:
    """The metrics of whatever the model can do: predict ratings, recommend.

    Recommendations are asked for every user with a row in the split, without any item the user has outside it, and
    the catalogue is every item of `interactions`.

    Parameters
    ----------
    model : trained on the rows with split = 'train'
    interactions : grain user x item; columns user_idx, item_idx, rating, split
    settings : the split to measure on, lengths of the list, what is relevant
    scale : predictions are clipped to it

    Returns
    -------
    grain metric; columns metric, value double, rows bigint (what it was measured on); see rating_metrics,
    ranking_metrics, catalogue_metrics. A few dozen rows, already computed

    Raises
    ------
    DataError : the split holds no rows, or none that is relevant
    """
    held_out = interactions.where(F.col("split") == settings.split).select("user_idx", "item_idx", "rating")
    if held_out.isEmpty():
        raise DataError(f'evaluate.split = "{settings.split}": no interaction is in it; [split] decides how many are')
    rows: list[Row] = []
    if Capability.PREDICT in model.capabilities:
        rows += rating_metrics(model.predict(held_out), scale).collect()
    if Capability.RECOMMEND in model.capabilities:
        rows += _ranking(model, interactions, held_out, settings)
    return interactions.sparkSession.createDataFrame([tuple(row) for row in rows], METRICS)


def _ranking(
    model: TrainedModel, interactions: DataFrame, held_out: DataFrame, settings: EvaluateSettings
) -> list[Row]:
    users = held_out.select("user_idx").distinct()
    seen = interactions.where(F.col("split") != settings.split).select("user_idx", "item_idx")
    train = F.col("split") == "train"
    popularity = interactions.groupBy("item_idx").agg(F.count_if(train).alias("n_ratings"))
    with _held(model.recommend(users, n=max(settings.k), seen=seen)) as recommendations:
        ranking = ranking_metrics(recommendations, held_out, ks=settings.k, relevant_from=settings.relevant_from)
        rows = ranking.collect()
        if not rows[0]["rows"]:
            raise DataError(
                f"evaluate.relevant_from = {settings.relevant_from}: no rating of split {settings.split} reaches it"
            )
        training_users = interactions.where(train).select("user_idx").distinct().count()
        catalogue = catalogue_metrics(recommendations, popularity, ks=settings.k, training_users=training_users)
        return rows + catalogue.collect()


@contextmanager
def _held(frame: DataFrame) -> Iterator[DataFrame]:
    """Recommendations cost the most and are read twice."""
    frame.persist()
    try:
        yield frame
    finally:
        frame.unpersist()
