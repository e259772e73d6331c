"""The baseline: user and item biases around the global mean, both regularised."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from nightreel.models.contract import Algorithm, Capability, TrainingContext
from nightreel.models.forms.factors import FactorModel, bias_model, mean_rating
from nightreel.models.solve.spark_als import cut
from nightreel.settings.sections import PositiveInt, Section


class BaselineParams(Section):
    """Hyperparameters of `baseline`."""

    user_reg: Annotated[float, Field(ge=0.0)]
    """How strongly biases are drawn to zero, in ratings."""
    item_reg: Annotated[float, Field(ge=0.0)]
    iterations: PositiveInt
    """How often the biases are solved for in turn."""


class Baseline(Algorithm[BaselineParams]):
    """mean + user bias + item bias, by alternating least squares.

    With mu the global mean and n the number of ratings, starting from user biases of zero:
    item bias = sum(r - mu - user bias) / (item_reg + n), then user bias = sum(r - mu - item bias) / (user_reg + n),
    `iterations` times (the estimates of Koren, "Factor in the Neighbors", TKDD 2010). Any number of ratings and
    users; the items' biases are broadcast.
    """

    name = "baseline"
    params_type = BaselineParams

    def fit(self, interactions: DataFrame, *, seed: int, context: TrainingContext | None = None) -> FactorModel:
        # A user's rows lie together, and once the mean has filled the cache Spark knows it: from then on only sums by
        # item cross the network.
        rows = interactions.select("user_idx", "item_idx", F.col("rating").cast("double").alias("rating"))
        rows = rows.repartition("user_idx").sortWithinPartitions("user_idx").persist()
        try:
            return self._fit(rows)
        finally:
            rows.unpersist()

    def _fit(self, ratings: DataFrame) -> FactorModel:
        mean = mean_rating(ratings)
        rows = ratings.withColumn("rest", F.col("rating") - F.lit(mean))
        items = _biases(rows, "item_idx", reg=self.params.item_reg)
        for _ in range(self.params.iterations - 1):
            # Without the cut each iteration would plan, and repeat, all those before it.
            less_users = _less_user_bias(rows, cut(items), reg=self.params.user_reg)
            items = _biases(less_users, "item_idx", reg=self.params.item_reg)
        items = cut(items)
        users = cut(_biases(_less_item_bias(rows, items), "user_idx", reg=self.params.user_reg))
        can = {Capability.PREDICT, Capability.RECOMMEND}
        return bias_model(self.name, users=users, items=items, mean=mean, global_mean=mean, can=can)


def _biases(rows: DataFrame, key: str, *, reg: float) -> DataFrame:
    """Grain user or item; columns <key>, bias, mean_rating, from rows with `rest` still to be explained."""
    bias = F.sum("rest") / (F.count("*") + F.lit(reg))
    return rows.groupBy(key).agg(bias.alias("bias"), F.avg("rating").alias("mean_rating"))


def _with_item_bias(rows: DataFrame, items: DataFrame) -> DataFrame:
    return rows.join(F.broadcast(items.select("item_idx", "bias")), "item_idx", "inner")


def _less_item_bias(rows: DataFrame, items: DataFrame) -> DataFrame:
    rest = (F.col("rest") - F.col("bias")).alias("rest")
    return _with_item_bias(rows, items).select("user_idx", "item_idx", "rating", rest)


def _less_user_bias(rows: DataFrame, items: DataFrame, *, reg: float) -> DataFrame:
    """The user's bias, given the items', is solved for and taken off within the user's own rows."""
    user = Window.partitionBy("user_idx")
    of_user = F.sum(F.col("rest") - F.col("bias")).over(user) / (F.count("*").over(user) + F.lit(reg))
    rest = (F.col("rest") - of_user).alias("rest")
    return _with_item_bias(rows, items).select("user_idx", "item_idx", "rating", rest)
