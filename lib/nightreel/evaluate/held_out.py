"""Metrics of trained models on the rows they were not trained on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from nightreel.errors import DataError
from nightreel.evaluate.metrics import catalogue_metrics, ranking_metrics, rating_metrics
from nightreel.models.contract import Capability, TrainedModel
from nightreel.prepare import Cache
from nightreel.settings import EvaluateSettings, ScaleSettings


class HeldOut(NamedTuple):
    """What all models are measured on.

    settings : the split, the lengths of the lists, the relevance threshold
    rows : grain user x item of the split; columns user_idx, item_idx, rating
    users : grain user with a row in the split; column user_idx
    seen : grain user x item outside the split; columns user_idx, item_idx
    popularity : grain item, the whole catalogue; columns item_idx, n_ratings bigint (training rows)
    training_users : number of users with a training row
    relevant : number of relevant rows in the split
    """

    settings: EvaluateSettings
    rows: DataFrame
    users: DataFrame
    seen: DataFrame
    popularity: DataFrame
    training_users: int
    relevant: int


@contextmanager
def hold_out(interactions: DataFrame, settings: EvaluateSettings) -> Iterator[HeldOut]:
    """The held-out rows and what the metrics need, persisted until the context ends.

    Parameters
    ----------
    interactions : grain user x item; columns user_idx, item_idx, rating, split

    Raises
    ------
    DataError : the split holds no rows
    """
    here, train = F.col("split") == settings.split, F.col("split") == "train"
    with Cache() as cache:
        rows = cache.persist(interactions.where(here).select("user_idx", "item_idx", "rating"))
        total, relevant = rows.agg(F.count("*"), F.count_if(F.col("rating") >= settings.relevant_from)).collect()[0]
        if not total:
            raise DataError(
                f'evaluate.split = "{settings.split}": no interaction is in it; [split] decides how many are'
            )
        yield HeldOut(
            settings=settings,
            rows=rows,
            users=cache.persist(rows.select("user_idx").distinct()),
            seen=interactions.where(~here).select("user_idx", "item_idx"),
            popularity=cache.persist(interactions.groupBy("item_idx").agg(F.count_if(train).alias("n_ratings"))),
            training_users=interactions.where(train).select("user_idx").distinct().count(),
            relevant=relevant,
        )


def evaluate(model: TrainedModel, held_out: HeldOut, scale: ScaleSettings) -> list[Row]:
    """The metrics of the model's predicted ratings, of its recommendations, or of both, as its capabilities allow.

    Every user with a row in the split gets recommendations from the whole catalogue, without the items the user has
    outside the split.

    Parameters
    ----------
    model : trained on the rows with split = 'train'
    scale : predictions are clipped to it

    Returns
    -------
    grain metric; metric, value (float or None), rows (number of rows measured): see rating_metrics, ranking_metrics,
    catalogue_metrics

    Raises
    ------
    DataError : the model recommends, and no row of the split is relevant
    """
    rows: list[Row] = []
    if Capability.PREDICT in model.capabilities:
        rows += rating_metrics(model.predict(held_out.rows), scale).collect()
    if Capability.RECOMMEND in model.capabilities:
        rows += _ranking(model, held_out)
    return rows


def _ranking(model: TrainedModel, held_out: HeldOut) -> list[Row]:
    settings = held_out.settings
    if not held_out.relevant:
        raise DataError(
            f"evaluate.relevant_from = {settings.relevant_from}: no rating of split {settings.split} reaches it"
        )
    with Cache() as cache:
        lists = cache.persist(model.recommend(held_out.users, n=max(settings.k), seen=held_out.seen))
        ranking = ranking_metrics(lists, held_out.rows, ks=settings.k, relevant_from=settings.relevant_from)
        catalogue = catalogue_metrics(lists, held_out.popularity, ks=settings.k, training_users=held_out.training_users)
        return ranking.collect() + catalogue.collect()
