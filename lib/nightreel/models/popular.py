"""The items most people rated: no taste in it, and hard to beat."""

from __future__ import annotations

from typing import ClassVar

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from nightreel.models.contract import Algorithm, Capability, Surroundings
from nightreel.models.factors import FactorModel, bias_model, mean_rating
from nightreel.models.means import means
from nightreel.settings.sections import Section


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
