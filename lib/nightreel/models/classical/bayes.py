"""Bayesian matrix factorisation: the mean of the posterior's samples, and how far they lie apart."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, ClassVar, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from nightreel.models.classical.biases import zero_model
from nightreel.models.contract import Capability, TrainedModel, TrainingContext
from nightreel.models.engine.catalogue import Floats, float_lists
from nightreel.models.engine.one_task import ArrayContext, InMemory
from nightreel.models.forms.arrays import Numbers, Ratings, Side
from nightreel.models.forms.factor_arrays import FactorArrays
from nightreel.models.forms.factors import FactorModel
from nightreel.models.forms.fold_in import FoldIn
from nightreel.models.solve.block_als import IN_ONE_TASK
from nightreel.models.solve.blocks import size_of
from nightreel.models.solve.sampling import SamplingParams


class BayesMfParams(SamplingParams):
    """Hyperparameters of `bayes_mf`."""

    blocks: Annotated[int, Field(ge=0)]
    """As of `als_block`."""

    @model_validator(mode="after")
    def samples_fit_the_sweeps(self) -> Self:
        if self.samples > self.sweeps - self.burn_in:
            raise ValueError(
                f"samples = {self.samples}: must be at most sweeps - burn_in, {self.sweeps - self.burn_in}"
            )
        return self


class BayesMf(InMemory[BayesMfParams]):
    """rating ~ N(mean + user bias + item bias + user vector . item vector, noise), by Gibbs sampling.

    A bias and its vector are normal, with a normal-Wishart prior (Salakhutdinov and Mnih, "Bayesian Probabilistic
    Matrix Factorization using Markov Chain Monte Carlo", ICML 2008), around a linear map of what the user has rated, or
    of who has rated the item (Rendle, Zhang and Koren, "On the Difficulty of Evaluating Baselines", 2019). The noise
    has a scale for each user and each item, so that who rates at random counts less. The score is the mean of the
    samples, and every prediction has a standard deviation. Up to a million ratings one task samples; beyond, blocks do.
    """

    name = "bayes_mf"
    params_type = BayesMfParams
    most_ratings: ClassVar[int] = 2_000_000_000

    def check_size(self, *, users: int, items: int, ratings: int) -> None:
        from nightreel.models.solve.sampling import check_links

        super().check_size(users=users, items=items, ratings=ratings)
        if self.params.links:
            check_links(users, items)

    def fit(self, interactions: DataFrame, *, seed: int, context: TrainingContext | None = None) -> TrainedModel:
        params = self.params
        size = size_of(interactions, rank=params.samples * params.rank)
        if params.blocks == 0 and size.rows <= IN_ONE_TASK:
            return super().fit(interactions, seed=seed, context=context)
        from nightreel.models.solve.sampling_blocks import sample_in_blocks

        self.check_size(users=size.users, items=size.items, ratings=size.rows)
        means = zero_model(interactions)
        left = (F.col("rating") - F.lit(means.global_mean)).cast("float").alias("rating")
        rows = interactions.select("user_idx", "item_idx", left)
        found = sample_in_blocks(rows, size, params, seed=seed, blocks=params.blocks, context=context)
        spark = interactions.sparkSession
        users = _side(spark, means.users, "user_idx", found.user_bias, found.users)
        items = _side(spark, means.items, "item_idx", found.item_bias, found.items)
        return FactorModel(
            algorithm=self.name,
            users=users,
            items=items,
            mean=means.global_mean,
            global_mean=means.global_mean,
            rank=found.users.shape[1],
            capabilities=frozenset(Capability),
            fold_in=_fold_in(found.noise, found.bias_variance),
            samples=found.samples,
        )

    def fit_arrays(self, ratings: Ratings, *, seed: int, context: ArrayContext | None = None) -> FactorArrays:
        from nightreel.models.solve.sampling import sample_in_memory

        left = replace(ratings, rating=(ratings.rating - np.float32(ratings.mean)).astype(np.float32))
        found = sample_in_memory(left, self.params, seed=seed)
        return FactorArrays(
            users=Side.of(ratings.user_means, bias=found.user_bias, factors=found.users),
            items=Side.of(ratings.item_means, bias=found.item_bias, factors=found.items),
            mean=ratings.mean,
            global_mean=ratings.mean,
            capabilities=frozenset(Capability),
            fold_in=_fold_in(found.noise, found.bias_variance),
            samples=found.samples,
        )


def _fold_in(noise: float, bias_variance: float) -> FoldIn:
    """A user's mean given its ratings, without the link: the vectors are whitened, so their prior has unit variance."""
    return FoldIn("prior", reg=noise, bias_reg=noise / bias_variance)


def _side(spark: SparkSession, means: DataFrame, key: str, bias: Numbers, vectors: Floats) -> DataFrame:
    learnt = spark.createDataFrame(
        pa.table(
            {
                key: pa.array(np.arange(len(bias)), pa.int32()),
                "bias": pa.array(bias, pa.float32()),
                "factors": float_lists(np.ascontiguousarray(vectors)),
            }
        )
    )
    return means.select(key, "mean_rating").join(learnt, key, "inner").select(key, "bias", "factors", "mean_rating")
