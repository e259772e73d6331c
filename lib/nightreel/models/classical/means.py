"""Models that are means: the user's, the item's, the average of both with the global one, and the item's shrunk.

Each is one aggregation by user and one by item, at any number of ratings.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from nightreel.models.contract import Algorithm, Capability, TrainingContext
from nightreel.models.forms.factors import FactorModel, bias_model, mean_rating
from nightreel.settings.sections import Section

_PREDICTS = frozenset({Capability.PREDICT})
_PREDICTS_AND_ORDERS = frozenset({Capability.PREDICT, Capability.RECOMMEND})


class NoParams(Section):
    """No hyperparameters."""


class WeightedMeanParams(Section):
    """Hyperparameters of `weighted_mean`."""

    prior_weight: Annotated[float, Field(ge=0.0)]
    """m, in ratings."""


class PopularParams(Section):
    """Hyperparameters of `popular`."""

    min_rating: float
    """Only ratings of at least this are counted."""


class UserMean(Algorithm[NoParams]):
    """Each user's mean rating, whatever the item."""

    name = "user_mean"
    params_type = NoParams

    def fit(self, interactions: DataFrame, *, seed: int, context: TrainingContext | None = None) -> FactorModel:
        return _fit(self.name, interactions, user_weight=F.lit(1.0), item_weight=F.lit(0.0), can=_PREDICTS)


class ItemMean(Algorithm[NoParams]):
    """Each item's mean rating, whoever rates."""

    name = "item_mean"
    params_type = NoParams

    def fit(self, interactions: DataFrame, *, seed: int, context: TrainingContext | None = None) -> FactorModel:
        return _fit(self.name, interactions, user_weight=F.lit(0.0), item_weight=F.lit(1.0), can=_PREDICTS_AND_ORDERS)


class MeanOfMeans(Algorithm[NoParams]):
    """The average of the user's, the item's and the global mean: (user mean + item mean + global mean) / 3."""

    name = "mean_of_means"
    params_type = NoParams

    def fit(self, interactions: DataFrame, *, seed: int, context: TrainingContext | None = None) -> FactorModel:
        third = F.lit(1.0 / 3.0)
        return _fit(self.name, interactions, user_weight=third, item_weight=third, can=_PREDICTS_AND_ORDERS)


class WeightedMean(Algorithm[WeightedMeanParams]):
    """Item means shrunk towards the global mean: (n * mean + m * global) / (n + m), n ratings of the item."""

    name = "weighted_mean"
    params_type = WeightedMeanParams

    def fit(self, interactions: DataFrame, *, seed: int, context: TrainingContext | None = None) -> FactorModel:
        shrunk = F.col("n_ratings") / (F.col("n_ratings") + F.lit(self.params.prior_weight))
        return _fit(self.name, interactions, user_weight=F.lit(0.0), item_weight=shrunk, can=_PREDICTS_AND_ORDERS)


class Popular(Algorithm[PopularParams]):
    """The same order for everyone: items by their number of ratings of at least `min_rating`, which is the score."""

    name = "popular"
    params_type = PopularParams

    def fit(self, interactions: DataFrame, *, seed: int, context: TrainingContext | None = None) -> FactorModel:
        counted = F.count_if(F.col("rating") >= F.lit(self.params.min_rating))
        counts = interactions.groupBy("item_idx").agg(counted.alias("bias"))
        return bias_model(
            self.name,
            users=means(interactions, "user_idx").withColumn("bias", F.lit(0.0)),
            items=means(interactions, "item_idx").join(counts, "item_idx", "inner"),
            mean=0.0,
            global_mean=mean_rating(interactions),
            can={Capability.RECOMMEND},
        )


def means(interactions: DataFrame, key: str) -> DataFrame:
    """Grain user or item; columns <key>, n_ratings bigint, mean_rating double."""
    rating = F.col("rating").cast("double")
    return interactions.groupBy(key).agg(F.count("*").alias("n_ratings"), F.avg(rating).alias("mean_rating"))


def zero_model(interactions: DataFrame) -> FactorModel:
    """A model whose biases are all 0; it only supplies the fallback means. ALS adds its vectors to it."""
    return bias_model(
        "zero",
        users=means(interactions, "user_idx").withColumn("bias", F.lit(0.0)),
        items=means(interactions, "item_idx").withColumn("bias", F.lit(0.0)),
        mean=0.0,
        global_mean=mean_rating(interactions),
        can=(),
    )


def _fit(
    name: str, interactions: DataFrame, *, user_weight: Column, item_weight: Column, can: frozenset[Capability]
) -> FactorModel:
    """Biases that are weighted distances of the means from the global mean."""
    mean = mean_rating(interactions)
    deviation = F.col("mean_rating") - F.lit(mean)
    return bias_model(
        name,
        users=means(interactions, "user_idx").withColumn("bias", user_weight * deviation),
        items=means(interactions, "item_idx").withColumn("bias", item_weight * deviation),
        mean=mean,
        global_mean=mean,
        can=can,
    )
