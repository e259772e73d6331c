"""Alternating least squares: of ratings (or what the baseline leaves of them) by Spark ML and in blocks; implicit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal, Self, TypeVar

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from nightreel.models.classical.biases import Baseline, BaselineParams, baseline_biases, zero_model
from nightreel.models.contract import Algorithm, Capability, TrainingContext
from nightreel.models.engine.catalogue import Floats
from nightreel.models.engine.one_task import ArrayContext, FitsArrays, no_positives
from nightreel.models.forms.arrays import Numbers, Ratings, Side
from nightreel.models.forms.factor_arrays import FactorArrays
from nightreel.models.forms.factors import FactorModel
from nightreel.models.forms.fold_in import FoldIn
from nightreel.models.solve.block_als import BlockParams, HeldOut, factorise_in_blocks
from nightreel.models.solve.spark_als import FactorisationParams, factorise
from nightreel.settings.sections import DefaultsFrom, Rate

_MOST_HELD_OUT = 1_000_000


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


class AlsBlockParams(BlockParams):
    """Hyperparameters of `als_block`."""

    residuals: bool
    """As of `als`."""
    patience: Annotated[int, Field(ge=0)]
    """Iterations without a lower RMSE of the validation rows after which it stops, with the best; 0: never."""
    baseline: Annotated[BaselineParams, DefaultsFrom("models.baseline")]
    """Of that baseline; [models.als_block.baseline] overrides [models.baseline]."""


class AlsImplicitParams(BlockParams):
    """Hyperparameters of `als_implicit`."""

    alpha: Rate
    """What one unit of confidence adds to the weight 1 of an unseen item."""
    confidence: Literal["rating", "count"]
    """What a positive counts: its rating, or 1."""
    min_rating: float
    """What counts as a positive."""
    reg_power: Annotated[float, Field(ge=0.0, le=1.0)]
    """Of the number of positives that reg is multiplied by: 1 as ALS-WR, 0 for the same penalty on all (Rendle et al.,
    "Revisiting the Performance of iALS on Item Recommendation Benchmarks", RecSys 2022)."""

    @model_validator(mode="after")
    def confidence_is_positive(self) -> Self:
        if self.confidence == "rating" and self.min_rating <= 0:
            raise ValueError('confidence = "rating" needs min_rating above 0')
        return self


ParamsT = TypeVar("ParamsT", AlsParams, AlsBlockParams)


class _Explicit(FitsArrays, Algorithm[ParamsT]):
    """What training in memory is, whichever way it goes on Spark."""

    def fit_arrays(self, ratings: Ratings, *, seed: int, context: ArrayContext | None = None) -> FactorArrays:
        from nightreel.models.solve.least_squares import alternate

        params, mean = self.params, 0.0
        biases: tuple[Numbers | None, Numbers | None] = (None, None)
        targets = ratings
        if params.residuals:
            of_user, of_item = baseline_biases(ratings, params.baseline)
            mean, biases = ratings.mean, (of_user, of_item)
            rest = ratings.rating - mean - of_user[ratings.user_idx] - of_item[ratings.item_idx]
            targets = replace(ratings, rating=rest.astype(np.float32))
        users, items = alternate(
            targets.by_user, targets.by_item, rank=params.rank, reg=params.reg, iterations=params.iterations, seed=seed,
            nonnegative=self._nonnegative,
        )  # fmt: skip
        return FactorArrays(
            users=Side.of(ratings.user_means, bias=biases[0], factors=users),
            items=Side.of(ratings.item_means, bias=biases[1], factors=items),
            mean=mean,
            global_mean=ratings.mean,
            capabilities=frozenset(Capability),
            fold_in=self._fold_in(),
        )

    @property
    def _nonnegative(self) -> bool:
        return False

    def _fold_in(self) -> FoldIn | None:
        params = self.params
        if self._nonnegative:
            return None
        weight, bias_reg = (1.0, params.baseline.user_reg) if params.residuals else (0.0, 0.0)
        return FoldIn("explicit", reg=params.reg, weight=weight, bias_reg=bias_reg)


class Als(_Explicit[AlsParams]):
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
        return biases.with_vectors(
            *vectors, algorithm=self.name, rank=self.params.rank, can=frozenset(Capability), fold_in=self._fold_in()
        )

    @property
    def _nonnegative(self) -> bool:
        return self.params.nonnegative


class AlsBlock(_Explicit[AlsBlockParams]):
    """As `als`, the same objective, by nightreel's own solver.

    Ratings are packed once; of users (items) with fewer ratings than the rank the smaller system of their ratings is
    solved. A night goes on from the vectors of an earlier one. Hundreds of millions of ratings; the driver and every
    task hold one side's vectors, at most 4 GiB.
    """

    name = "als_block"
    goes_on = True
    params_type = AlsBlockParams

    def fit(self, interactions: DataFrame, *, seed: int, context: TrainingContext | None = None) -> FactorModel:
        if self.params.residuals:
            biases = Baseline(self.params.baseline).fit(interactions, seed=seed)
            rest = _Rest.of(biases)
        else:
            biases, rest = zero_model(interactions), _Rest(0.0, None, None)
        held_out = None
        if context is not None and context.validation is not None:
            held_out = _held_out(context.validation, biases, rest)
        vectors = factorise_in_blocks(
            rest.of_rows(interactions), self.params, seed=seed, context=context, held_out=held_out,
            patience=self.params.patience,
        )  # fmt: skip
        return biases.with_vectors(
            *vectors, algorithm=self.name, rank=self.params.rank, can=frozenset(Capability), fold_in=self._fold_in()
        )


@dataclass(frozen=True)
class _Rest:
    """What biases leave of ratings; users, items: biases by index, None where there are none."""

    mean: float
    users: Floats | None
    items: Floats | None

    @classmethod
    def of(cls, model: FactorModel) -> _Rest:
        sides = (Side.laid_out(model.users.toArrow(), "user_idx"), Side.laid_out(model.items.toArrow(), "item_idx"))
        return cls(model.mean, sides[0].bias, sides[1].bias)

    def of_rows(self, rows: DataFrame) -> DataFrame:
        """Columns user_idx, item_idx, rating: what is left."""
        if self.users is None or self.items is None:
            return rows.select("user_idx", "item_idx", "rating")
        mean, of_user, of_item = self.mean, self.users, self.items

        def left(users: pa.Array, items: pa.Array, ratings: pa.Array) -> pa.Array:
            told = np.float32(mean) + of_user[users.to_numpy()] + of_item[items.to_numpy()]
            return pa.array(ratings.to_numpy().astype(np.float32) - told)

        rest = F.arrow_udf(left, "float")("user_idx", "item_idx", "rating")  # type: ignore[attr-defined]
        return rows.select("user_idx", "item_idx", rest.alias("rating"))


def _held_out(validation: DataFrame, trained: FactorModel, rest: _Rest) -> HeldOut | None:
    """At most a million validation rows of users and items that are trained; None where there are none."""
    known = validation.join(trained.users.select("user_idx"), "user_idx", "left_semi")
    known = known.join(trained.items.select("item_idx"), "item_idx", "left_semi").limit(_MOST_HELD_OUT)
    rows = rest.of_rows(known).toArrow()
    if not rows.num_rows:
        return None
    return HeldOut(*(rows[name].to_numpy() for name in ("user_idx", "item_idx", "rating")))


class AlsImplicit(FitsArrays, Algorithm[AlsImplicitParams]):
    """score = user vector . item vector, near 1 for a positive and near 0 for every other pair.

    Minimises sum over all pairs c_ui (p_ui - x_u . y_i)^2 + regularisation, with p = 1 and c = 1 + alpha * confidence
    for a positive, else p = 0 and c = 1 (Hu, Koren and Volinsky, "Collaborative Filtering for Implicit Feedback
    Datasets", ICDM 2008). Users and items without a positive are unknown to the model. As large as `als`.
    """

    name = "als_implicit"
    goes_on = True
    params_type = AlsImplicitParams

    def fit(self, interactions: DataFrame, *, seed: int, context: TrainingContext | None = None) -> FactorModel:
        liked = interactions.where(F.col("rating") >= F.lit(self.params.min_rating))
        if liked.isEmpty():
            raise no_positives(self.name, self.params.min_rating)
        confidence = F.col("rating") if self.params.confidence == "rating" else F.lit(1.0)
        weight = (confidence * F.lit(self.params.alpha)).cast("float").alias("rating")
        positives = liked.select("user_idx", "item_idx", weight)
        vectors = factorise_in_blocks(
            positives, self.params, seed=seed, context=context, implicit=True, power=self.params.reg_power
        )
        can = frozenset({Capability.RECOMMEND, Capability.SIMILAR})
        means = zero_model(interactions)
        return means.with_vectors(
            *vectors, algorithm=self.name, rank=self.params.rank, can=can, fold_in=self._fold_in()
        )

    def fit_arrays(self, ratings: Ratings, *, seed: int, context: ArrayContext | None = None) -> FactorArrays:
        from nightreel.models.solve.least_squares import alternate

        params = self.params
        chosen = ratings.rating >= params.min_rating
        if not chosen.any():
            raise no_positives(self.name, params.min_rating)
        positives = ratings.where(chosen)
        confidence = positives.rating if params.confidence == "rating" else np.ones(len(positives), np.float32)
        positives = replace(positives, rating=confidence * np.float32(params.alpha))
        users, items = alternate(
            positives.by_user, positives.by_item, rank=params.rank, reg=params.reg, iterations=params.iterations,
            seed=seed, implicit=True, power=params.reg_power,
        )  # fmt: skip
        return FactorArrays(  # who and what has no positive is unknown
            users=Side.of(np.where(positives.by_user.counts > 0, ratings.user_means, np.nan), factors=users),
            items=Side.of(np.where(positives.by_item.counts > 0, ratings.item_means, np.nan), factors=items),
            mean=0.0,
            global_mean=ratings.mean,
            capabilities=frozenset({Capability.RECOMMEND, Capability.SIMILAR}),
            fold_in=self._fold_in(),
        )

    def _fold_in(self) -> FoldIn:
        params = self.params
        by_rating = params.confidence == "rating"
        return FoldIn(
            "implicit", reg=params.reg, reg_power=params.reg_power, alpha=params.alpha, by_rating=by_rating,
            min_rating=params.min_rating,
        )  # fmt: skip
