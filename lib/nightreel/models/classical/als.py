"""Explicit feedback by alternating least squares, on ratings or on the baseline's residuals."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import model_validator
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from nightreel.models.classical.baseline import Baseline, BaselineParams
from nightreel.models.classical.means import zero_model
from nightreel.models.contract import Algorithm, Capability, TrainingContext
from nightreel.models.forms.factors import FactorModel
from nightreel.models.solve.spark_als import FactorisationParams, factorise
from nightreel.settings.sections import DefaultsFrom


class AlsParams(FactorisationParams):
    """Hyperparameters of `als`."""

    nonnegative: bool
    residuals: bool
    """Factorise the baseline's residuals; the score is then the baseline's plus the product of the vectors."""
    baseline: Annotated[BaselineParams, DefaultsFrom("models.baseline")]
    """Of that baseline; [models.als.baseline] overrides [models.baseline]."""

    @model_validator(mode="after")
    def residuals_are_signed(self) -> Self:
        if self.nonnegative and self.residuals:
            raise ValueError("nonnegative = true needs residuals = false: what the baseline leaves over has both signs")
        return self


class Als(Algorithm[AlsParams]):
    """score = user vector . item vector (+ baseline), by Spark ML's ALS, regularised as ALS-WR.

    Minimises sum (r - p_u . q_i)^2 + reg * (sum n_u |p_u|^2 + sum n_i |q_i|^2), n ratings of the user or item (Zhou et
    al., "Large-scale Parallel Collaborative Filtering for the Netflix Prize", AAIM 2008). Users, items and ratings lie
    in blocks over the executors: hundreds of millions of ratings.
    """

    name = "als"
    params_type = AlsParams

    def fit(self, interactions: DataFrame, *, seed: int, context: TrainingContext | None = None) -> FactorModel:
        if self.params.residuals:
            biases = Baseline(self.params.baseline).fit(interactions, seed=seed)
            residual = (F.col("rating") - F.col("prediction")).alias("rating")
            targets = biases.predict(interactions).select("user_idx", "item_idx", residual)
        else:
            biases, targets = zero_model(interactions), interactions
        vectors = factorise(targets, self.params, seed=seed, nonnegative=self.params.nonnegative)
        return biases.with_vectors(*vectors, algorithm=self.name, rank=self.params.rank, can=frozenset(Capability))
