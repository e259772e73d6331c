"""Models that are a mean and a bias for each user and item: the means, popularity and the baseline.

All but the baseline are one aggregation by user and one by item, at any number of ratings.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from nightreel.models.contract import Algorithm, Capability, TrainingContext
from nightreel.models.engine.catalogue import Ints
from nightreel.models.engine.one_task import ArrayContext, FitsArrays
from nightreel.models.forms.arrays import Numbers, Ratings, Side
from nightreel.models.forms.factor_arrays import FactorArrays
from nightreel.models.forms.factors import FactorModel, mean_rating, without_factors
from nightreel.models.forms.fold_in import FoldIn
from nightreel.models.solve.spark_als import cut
from nightreel.settings.sections import Penalty, PositiveInt, Section

_PREDICTS_AND_ORDERS = frozenset({Capability.PREDICT, Capability.RECOMMEND})
_NO_BIAS, _BY_USER = FoldIn(), FoldIn(weight=1.0)


class NoParams(Section):
    """No hyperparameters."""


class WeightedMeanParams(Section):
    """Hyperparameters of `weighted_mean`."""

    prior_weight: Penalty
    """m, in ratings."""


class PopularParams(Section):
    """Hyperparameters of `popular`."""

    min_rating: float
    """Only ratings of at least this are counted."""


class BaselineParams(Section):
    """Hyperparameters of `baseline`."""

    user_reg: Penalty
    """How strongly biases are drawn to zero, in ratings."""
    item_reg: Penalty
    iterations: PositiveInt
    """How often the biases are solved for in turn."""


class UserMean(FitsArrays, Algorithm[NoParams]):
    """Each user's mean rating, whatever the item."""

    name = "user_mean"
    params_type = NoParams

    def fit(self, interactions: DataFrame, *, seed: int, context: TrainingContext | None = None) -> FactorModel:
        return _weighted(
            self.name,
            interactions,
            user=F.lit(1.0),
            item=F.lit(0.0),
            can={Capability.PREDICT},
            fold_in=_BY_USER,
        )

    def fit_arrays(self, ratings: Ratings, *, seed: int, context: ArrayContext | None = None) -> FactorArrays:
        return _weighted_arrays(ratings, user=1.0, item=0.0, can={Capability.PREDICT}, fold_in=_BY_USER)


class ItemMean(FitsArrays, Algorithm[NoParams]):
    """Each item's mean rating, whoever rates."""

    name = "item_mean"
    params_type = NoParams

    def fit(self, interactions: DataFrame, *, seed: int, context: TrainingContext | None = None) -> FactorModel:
        return _weighted(
            self.name, interactions, user=F.lit(0.0), item=F.lit(1.0), can=_PREDICTS_AND_ORDERS, fold_in=FoldIn()
        )

    def fit_arrays(self, ratings: Ratings, *, seed: int, context: ArrayContext | None = None) -> FactorArrays:
        return _weighted_arrays(ratings, user=0.0, item=1.0, can=_PREDICTS_AND_ORDERS, fold_in=_NO_BIAS)


class MeanOfMeans(FitsArrays, Algorithm[NoParams]):
    """The average of the user's, the item's and the global mean: (user mean + item mean + global mean) / 3."""

    name = "mean_of_means"
    params_type = NoParams

    def fit(self, interactions: DataFrame, *, seed: int, context: TrainingContext | None = None) -> FactorModel:
        third = F.lit(1.0 / 3.0)
        return _weighted(self.name, interactions, user=third, item=third, can=_PREDICTS_AND_ORDERS)

    def fit_arrays(self, ratings: Ratings, *, seed: int, context: ArrayContext | None = None) -> FactorArrays:
        return _weighted_arrays(ratings, user=1.0 / 3.0, item=1.0 / 3.0, can=_PREDICTS_AND_ORDERS)


class WeightedMean(FitsArrays, Algorithm[WeightedMeanParams]):
    """Item means shrunk towards the global mean: (n * mean + m * global) / (n + m), n ratings of the item."""

    name = "weighted_mean"
    params_type = WeightedMeanParams

    def fit(self, interactions: DataFrame, *, seed: int, context: TrainingContext | None = None) -> FactorModel:
        shrunk = F.count("*") / (F.count("*") + F.lit(self.params.prior_weight))
        return _weighted(
            self.name, interactions, user=F.lit(0.0), item=shrunk, can=_PREDICTS_AND_ORDERS, fold_in=FoldIn()
        )

    def fit_arrays(self, ratings: Ratings, *, seed: int, context: ArrayContext | None = None) -> FactorArrays:
        counts = ratings.by_item.counts
        shrunk = counts / np.maximum(counts + self.params.prior_weight, 1.0)
        return _weighted_arrays(ratings, user=0.0, item=shrunk, can=_PREDICTS_AND_ORDERS, fold_in=_NO_BIAS)


class Popular(FitsArrays, Algorithm[PopularParams]):
    """The same order for everyone: items by their number of ratings of at least `min_rating`, which is the score."""

    name = "popular"
    params_type = PopularParams

    def fit(self, interactions: DataFrame, *, seed: int, context: TrainingContext | None = None) -> FactorModel:
        counted = F.count_if(F.col("rating") >= F.lit(self.params.min_rating))
        return _without_mean(self.name, interactions, item_bias=counted, can={Capability.RECOMMEND}, fold_in=_NO_BIAS)

    def fit_arrays(self, ratings: Ratings, *, seed: int, context: ArrayContext | None = None) -> FactorArrays:
        positives = (ratings.rating >= self.params.min_rating).astype(np.float64)
        counted = np.bincount(ratings.item_idx, positives, minlength=ratings.n_items).astype(np.float64)
        return _arrays(ratings, 0.0, None, counted, can={Capability.RECOMMEND}, fold_in=_NO_BIAS)


class Baseline(FitsArrays, Algorithm[BaselineParams]):
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
        ratings = interactions.select("user_idx", "item_idx", F.col("rating").cast("double").alias("rating"))
        ratings = ratings.repartition("user_idx").sortWithinPartitions("user_idx").persist()
        of_item = F.sum("rest") / (F.count("*") + F.lit(self.params.item_reg))
        of_user = F.sum("rest") / (F.count("*") + F.lit(self.params.user_reg))
        try:
            mean = mean_rating(ratings)
            rows = ratings.withColumn("rest", F.col("rating") - F.lit(mean))
            items = cut(_biases(rows, "item_idx", of_item))
            for _ in range(self.params.iterations - 1):
                # Without the cut each iteration would plan, and repeat, all those before it.
                items = cut(_biases(_less_user_bias(rows, items, reg=self.params.user_reg), "item_idx", of_item))
            less_items = _with_item_bias(rows, items).withColumn("rest", F.col("rest") - F.col("bias"))
            users = cut(_biases(less_items, "user_idx", of_user))
        finally:
            ratings.unpersist()
        fold_in = FoldIn(weight=1.0, bias_reg=self.params.user_reg)
        return _model(self.name, users, items, mean=mean, global_mean=mean, can=_PREDICTS_AND_ORDERS, fold_in=fold_in)

    def fit_arrays(self, ratings: Ratings, *, seed: int, context: ArrayContext | None = None) -> FactorArrays:
        user_bias, item_bias = baseline_biases(ratings, self.params)
        fold_in = FoldIn(weight=1.0, bias_reg=self.params.user_reg)
        return _arrays(ratings, ratings.mean, user_bias, item_bias, can=_PREDICTS_AND_ORDERS, fold_in=fold_in)


def baseline_biases(ratings: Ratings, params: BaselineParams) -> tuple[Numbers, Numbers]:
    """(n_users,) and (n_items,): the baseline's biases of ratings in memory."""
    rest = ratings.rating.astype(np.float64) - ratings.mean
    user_bias: Numbers = np.zeros(ratings.n_users)

    def solved(index: Ints, rest: Numbers, n: int, reg: float) -> Numbers:
        counts = np.bincount(index, minlength=n)
        biases: Numbers = np.bincount(index, rest, minlength=n) / np.maximum(counts + reg, np.finfo(np.float64).tiny)
        return biases

    for _ in range(params.iterations):
        item_bias = solved(ratings.item_idx, rest - user_bias[ratings.user_idx], ratings.n_items, params.item_reg)
        user_bias = solved(ratings.user_idx, rest - item_bias[ratings.item_idx], ratings.n_users, params.user_reg)
    return user_bias, item_bias


def _weighted_arrays(
    ratings: Ratings, *, user: float, item: float | Numbers, can: Iterable[Capability], fold_in: FoldIn | None = None
) -> FactorArrays:
    """As `_weighted`."""
    user_bias, item_bias = user * (ratings.user_means - ratings.mean), item * (ratings.item_means - ratings.mean)
    return _arrays(ratings, ratings.mean, user_bias, item_bias, can=can, fold_in=fold_in)


def _arrays(
    ratings: Ratings, mean: float, user_bias: Numbers | None, item_bias: Numbers, *, can: Iterable[Capability],
    fold_in: FoldIn | None,
) -> FactorArrays:  # fmt: skip
    return FactorArrays(
        users=Side.of(ratings.user_means, bias=user_bias),
        items=Side.of(ratings.item_means, bias=item_bias),
        mean=mean,
        global_mean=ratings.mean,
        capabilities=frozenset(can),
        fold_in=fold_in,
    )


def _with_item_bias(rows: DataFrame, items: DataFrame) -> DataFrame:
    return rows.join(F.broadcast(items.select("item_idx", "bias")), "item_idx", "inner")


def _less_user_bias(rows: DataFrame, items: DataFrame, *, reg: float) -> DataFrame:
    """The user's bias, given the items', is solved for and taken off within the user's own rows."""
    user = Window.partitionBy("user_idx")
    of_user = F.sum(F.col("rest") - F.col("bias")).over(user) / (F.count("*").over(user) + F.lit(reg))
    return _with_item_bias(rows, items).withColumn("rest", F.col("rest") - of_user)


def zero_model(interactions: DataFrame) -> FactorModel:
    """A model whose biases are all 0; it only supplies the fallback means. ALS adds its vectors to it."""
    return _without_mean("zero", interactions, item_bias=F.lit(0.0), can=())


def _without_mean(
    name: str, interactions: DataFrame, *, item_bias: Column, can: Iterable[Capability], fold_in: FoldIn | None = None
) -> FactorModel:
    """score = item bias, an aggregate of the item's rows."""
    users, items = _biases(interactions, "user_idx", F.lit(0.0)), _biases(interactions, "item_idx", item_bias)
    return _model(name, users, items, mean=0.0, global_mean=mean_rating(interactions), can=can, fold_in=fold_in)


def _weighted(
    name: str, interactions: DataFrame, *, user: Column, item: Column, can: Iterable[Capability],
    fold_in: FoldIn | None = None,
) -> FactorModel:  # fmt: skip
    """Biases that are weighted distances of the means from the global mean."""
    mean = mean_rating(interactions)
    deviation = _mean() - F.lit(mean)
    users, items = (
        _biases(interactions, key, weight * deviation) for key, weight in (("user_idx", user), ("item_idx", item))
    )
    return _model(name, users, items, mean=mean, global_mean=mean, can=can, fold_in=fold_in)


def _biases(rows: DataFrame, key: str, bias: Column) -> DataFrame:
    """Grain user or item; columns <key>, bias (an aggregate of the rows) and mean_rating."""
    return rows.groupBy(key).agg(bias.alias("bias"), _mean().alias("mean_rating"))


def _mean() -> Column:
    return F.avg(F.col("rating").cast("double"))


def _model(
    name: str, users: DataFrame, items: DataFrame, *, mean: float, global_mean: float, can: Iterable[Capability],
    fold_in: FoldIn | None,
) -> FactorModel:  # fmt: skip
    """A model without vectors, from users and items with columns <index>, bias, mean_rating."""
    return FactorModel(
        algorithm=name,
        users=without_factors(users, "user_idx"),
        items=without_factors(items, "item_idx"),
        mean=mean,
        global_mean=global_mean,
        rank=0,
        capabilities=frozenset(can),
        fold_in=fold_in,
    )
