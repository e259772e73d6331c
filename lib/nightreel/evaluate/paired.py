"""Two models on the same held-out rows: the difference of a metric by user, and its standard error."""

from __future__ import annotations

from typing import NamedTuple

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from nightreel.evaluate.held_out import HeldOut
from nightreel.evaluate.metrics import clipped_error, user_ranking
from nightreel.models.contract import TrainedModel
from nightreel.settings import ScaleSettings


class Paired(NamedTuple):
    """How much better one model is than another for the average user; above 0, it is better.

    error : the standard error of the mean of the users' differences; infinite for a single user
    """

    better_by: float
    error: float
    users: int


def paired_errors(
    one: TrainedModel, other: TrainedModel, held_out: HeldOut, scale: ScaleSettings, *, metric: str
) -> Paired:
    """By the mean squared error of a user's held-out rows (metric "rmse"), or the mean absolute error ("mae")."""

    def errors(model: TrainedModel) -> DataFrame:
        error = clipped_error(scale)
        size = error * error if metric == "rmse" else F.abs(error)
        return model.predict(held_out.rows).groupBy("user_idx").agg(F.avg(size).alias("value"))

    return _paired(errors(other), errors(one))


def paired_lists(one: TrainedModel, other: TrainedModel, held_out: HeldOut, *, metric: str, k: int) -> Paired:
    """By a ranking metric, such as "ndcg", of the users with a relevant held-out row."""
    relevant_from = held_out.settings.relevant_from

    def values(model: TrainedModel) -> DataFrame:
        lists = model.recommend(held_out.users, n=k, seen=held_out.seen)
        return user_ranking(lists, held_out.rows, metric=metric, k=k, relevant_from=relevant_from)

    return _paired(values(one), values(other))


def _paired(high: DataFrame, low: DataFrame) -> Paired:
    """Grain user in both; columns user_idx, value."""
    both = high.join(low.withColumnRenamed("value", "other"), "user_idx", "inner")
    difference = F.col("value") - F.col("other")
    mean, spread, users = both.agg(F.avg(difference), F.stddev(difference), F.count("*")).collect()[0]
    if not users:
        return Paired(0.0, float("inf"), 0)
    return Paired(float(mean), float(spread) / users**0.5 if spread is not None else float("inf"), int(users))
