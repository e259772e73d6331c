"""Implicit feedback by alternating least squares: which items users chose, not how they rated them."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from nightreel.errors import DataError
from nightreel.models.classical.means import zero_model
from nightreel.models.contract import Algorithm, Capability, TrainingContext
from nightreel.models.forms.factors import FactorModel
from nightreel.models.solve.spark_als import FactorisationParams, factorise


class AlsImplicitParams(FactorisationParams):
    """Hyperparameters of `als_implicit`."""

    alpha: Annotated[float, Field(gt=0.0)]
    """What one unit of confidence adds to the weight 1 of an unseen item."""
    confidence: Literal["rating", "count"]
    """What a positive counts: its rating, or 1."""
    min_rating: float
    """What counts as a positive."""

    @model_validator(mode="after")
    def confidence_is_positive(self) -> Self:
        if self.confidence == "rating" and self.min_rating <= 0:
            raise ValueError('confidence = "rating" needs min_rating above 0')
        return self


class AlsImplicit(Algorithm[AlsImplicitParams]):
    """score = user vector . item vector, near 1 for a positive and near 0 for every other pair.

    Minimises sum over all pairs c_ui (p_ui - x_u . y_i)^2 + regularisation, with p = 1 and c = 1 + alpha * confidence
    for a positive, else p = 0 and c = 1 (Hu, Koren and Volinsky, "Collaborative Filtering for Implicit Feedback
    Datasets", ICDM 2008). Users and items without a positive are unknown to the model. As large as `als`.
    """

    name = "als_implicit"
    params_type = AlsImplicitParams

    def fit(self, interactions: DataFrame, *, seed: int, context: TrainingContext | None = None) -> FactorModel:
        liked = interactions.where(F.col("rating") >= F.lit(self.params.min_rating))
        if liked.isEmpty():
            raise DataError(f"als_implicit: no training rating of at least min_rating = {self.params.min_rating}")
        confidence = F.col("rating") if self.params.confidence == "rating" else F.lit(1.0)
        vectors = factorise(
            liked.select("user_idx", "item_idx", confidence.cast("float").alias("rating")),
            self.params,
            seed=seed,
            implicit=True,
            alpha=self.params.alpha,
        )
        can = frozenset({Capability.RECOMMEND, Capability.SIMILAR})
        means = zero_model(interactions)
        return means.with_vectors(*vectors, algorithm=self.name, rank=self.params.rank, can=can)
