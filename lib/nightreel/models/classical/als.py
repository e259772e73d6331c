"""Explicit feedback by alternating least squares, on ratings or on what the baseline leaves of them."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import model_validator
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from nightreel.models.classical.baseline import Baseline, BaselineParams
from nightreel.models.classical.means import level
from nightreel.models.contract import Algorithm, Capability, Surroundings
from nightreel.models.forms.factors import FactorModel
from nightreel.models.solve.spark_als import FactorisationParams, factorise, with_vectors
from nightreel.settings.sections import DefaultsFrom


class AlsParams(FactorisationParams):
    """Hyperparameters of `als`."""

    nonnegative: bool
    residuals: bool
    """Learn what the baseline leaves over; the model is then the baseline plus the vectors' product."""
    baseline: Annotated[BaselineParams, DefaultsFrom("models.baseline")]
    """The baseline below the residuals; [models.als.baseline] overrides [models.baseline]."""

    @model_validator(mode="after")
    def residuals_are_signed(self) -> Self:
        if self.nonnegative and self.residuals:
            raise ValueError("nonnegative = true needs residuals = false: what the baseline leaves over has both signs")
        return self


class Als(Algorithm[AlsParams]):
    """Ratings as products of user and item vectors, regularised by the number of ratings (Zhou et al. 2008)."""

    name: ClassVar[str] = "als"
    params_type = AlsParams

    def fit(self, interactions: DataFrame, *, seed: int, beside: Surroundings | None = None) -> FactorModel:
        if self.params.residuals:
            below = Baseline(self.params.baseline).fit(interactions, seed=seed)
            rest = (F.col("rating") - F.col("prediction")).alias("rating")
            targets = below.predict(interactions).select("user_idx", "item_idx", rest)
        else:
            below, targets = level(interactions), interactions
        vectors = factorise(targets, self.params, seed=seed, nonnegative=self.params.nonnegative)
        return with_vectors(below, vectors, algorithm=self.name, rank=self.params.rank, can=frozenset(Capability))
