"""Alternating least squares by Spark ML: explicit feedback (ratings or the baseline's residuals) and implicit."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from nightreel.errors import DataError
from nightreel.models.biases import Baseline, BaselineParams, cut, require_checkpoints, zero_model
from nightreel.models.contract import Algorithm, Capability, TrainingContext
from nightreel.models.forms.factors import FactorModel
from nightreel.settings.sections import DefaultsFrom, Penalty, PositiveInt, Rate, Section

_SPARKS_BLOCKS = 10


class FactorisationParams(Section):
    """What explicit and implicit ALS share."""

    rank: PositiveInt
    reg: Penalty
    """Multiplied by the number of ratings of each user and item (ALS-WR, Zhou et al. 2008)."""
    iterations: PositiveInt
    blocks: Annotated[int, Field(ge=0)]
    """Blocks of users and of items, the unit of a task; 0: Spark's 10. Other blocks, other starting vectors."""
    checkpoint_interval: PositiveInt
    """Iterations between two cuts of the lineage, which overflows the stack when left to grow."""


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


class AlsImplicitParams(FactorisationParams):
    """Hyperparameters of `als_implicit`."""

    alpha: Rate
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
        positives = liked.select("user_idx", "item_idx", confidence.cast("float").alias("rating"))
        vectors = factorise(positives, self.params, seed=seed, implicit=True, alpha=self.params.alpha)
        can = frozenset({Capability.RECOMMEND, Capability.SIMILAR})
        means = zero_model(interactions)
        return means.with_vectors(*vectors, algorithm=self.name, rank=self.params.rank, can=can)


def factorise(
    rows: DataFrame,
    params: FactorisationParams,
    *,
    seed: int,
    nonnegative: bool = False,
    implicit: bool = False,
    alpha: float = 1.0,
) -> tuple[DataFrame, DataFrame]:
    """The vectors of users and of items; equal rows and seeds give equal vectors.

    Parameters
    ----------
    rows : grain user x item; columns user_idx int, item_idx int, rating float

    Returns
    -------
    grain user and grain item; columns <index> int, factors array<float> of length rank

    Raises
    ------
    ConfigurationError : the session has no checkpoint folder
    """
    from pyspark.ml.recommendation import ALS  # here, so that the workers of the top-N engine start without pyspark.ml

    require_checkpoints(rows.sparkSession)
    blocks = params.blocks or _SPARKS_BLOCKS
    als = ALS(
        rank=params.rank,
        maxIter=params.iterations,
        regParam=params.reg,
        numUserBlocks=blocks,
        numItemBlocks=blocks,
        implicitPrefs=implicit,
        alpha=alpha,
        nonnegative=nonnegative,
        userCol="user_idx",
        itemCol="item_idx",
        ratingCol="rating",
        seed=seed,
        checkpointInterval=params.checkpoint_interval,
        coldStartStrategy="nan",
    )
    # The order of a user's rows decides the last bits of each sum.
    ordered = rows.repartition(blocks, "user_idx").sortWithinPartitions("user_idx", "item_idx", "rating")
    trained = als.fit(ordered)
    # Cut, since Spark frees the vectors with the trained model, and a Connect server forgets them.
    users, items = (
        cut(learnt.select(F.col("id").alias(key), F.col("features").alias("factors")))
        for learnt, key in ((trained.userFactors, "user_idx"), (trained.itemFactors, "item_idx"))
    )
    return users, items
