"""Models that are means: the user's, the item's, the average of both with the global one, and the item's shrunk."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from nightreel.models.contract import Algorithm, Capability, Surroundings
from nightreel.models.forms.factors import FactorModel, bias_model, mean_rating
from nightreel.settings.sections import Section

_PREDICTS = frozenset({Capability.PREDICT})
_PREDICTS_AND_ORDERS = frozenset({Capability.PREDICT, Capability.RECOMMEND})


class NoParams(Section):
    """Nothing to set."""


class WeightedMeanParams(Section):
    """How strongly items with few ratings are drawn to the global mean."""

    prior_weight: Annotated[float, Field(ge=0.0)]
    """m, in ratings."""


class UserMean(Algorithm[NoParams]):
    """Each user's mean rating, whatever the item."""

    name: ClassVar[str] = "user_mean"
    params_type = NoParams

    def fit(self, interactions: DataFrame, *, seed: int, beside: Surroundings | None = None) -> FactorModel:
        return _fit(self.name, interactions, user_weight=F.lit(1.0), item_weight=F.lit(0.0), can=_PREDICTS)


class ItemMean(Algorithm[NoParams]):
    """Each item's mean rating, whoever rates."""

    name: ClassVar[str] = "item_mean"
    params_type = NoParams

    def fit(self, interactions: DataFrame, *, seed: int, beside: Surroundings | None = None) -> FactorModel:
        return _fit(self.name, interactions, user_weight=F.lit(0.0), item_weight=F.lit(1.0), can=_PREDICTS_AND_ORDERS)


class MeanOfMeans(Algorithm[NoParams]):
    """The average of the user's, the item's and the global mean."""

    name: ClassVar[str] = "mean_of_means"
    params_type = NoParams

    def fit(self, interactions: DataFrame, *, seed: int, beside: Surroundings | None = None) -> FactorModel:
        third = F.lit(1.0 / 3.0)
        return _fit(self.name, interactions, user_weight=third, item_weight=third, can=_PREDICTS_AND_ORDERS)


class WeightedMean(Algorithm[WeightedMeanParams]):
    """Item means shrunk towards the global mean: (n * mean + m * global) / (n + m)."""

    name: ClassVar[str] = "weighted_mean"
    params_type = WeightedMeanParams

    def fit(self, interactions: DataFrame, *, seed: int, beside: Surroundings | None = None) -> FactorModel:
        kept = F.col("n_ratings") / (F.col("n_ratings") + F.lit(self.params.prior_weight))
        return _fit(self.name, interactions, user_weight=F.lit(0.0), item_weight=kept, can=_PREDICTS_AND_ORDERS)


def means(interactions: DataFrame, key: str) -> DataFrame:
    """Grain user or item; columns <key>, n_ratings bigint, mean_rating double."""
    rating = F.col("rating").cast("double")
    return interactions.groupBy(key).agg(F.count("*").alias("n_ratings"), F.avg(rating).alias("mean_rating"))


def level(interactions: DataFrame) -> FactorModel:
    """No more than the means that cold pairs fall back to: every score is 0, for vectors to be added to."""
    zero = F.lit(0.0)
    mean = mean_rating(interactions)
    return bias_model(
        "level",
        users=means(interactions, "user_idx").withColumn("bias", zero),
        items=means(interactions, "item_idx").withColumn("bias", zero),
        mean=0.0,
        global_mean=mean,
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


class PopularParams(Section):
    """What counts."""

    min_rating: float
    """Only ratings of at least this are counted."""


class Popular(Algorithm[PopularParams]):
    """The same order for everyone: items by their number of ratings of at least `min_rating`, which is the score."""

    name: ClassVar[str] = "popular"
    params_type = PopularParams

    def fit(self, interactions: DataFrame, *, seed: int, beside: Surroundings | None = None) -> FactorModel:
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
