"""Rating predictors from the most similar users or items, and Slope One.

Similarities take time in sum(n^2), n the ratings of each column of the matrix, and 8 bytes each; the limits follow from
it. On Spark `tasks` tasks compute them, each for its share of the rows, and each holds all ratings.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from nightreel.models.classical.biases import BaselineParams, baseline_biases
from nightreel.models.contract import Capability
from nightreel.models.engine.catalogue import Floats
from nightreel.models.engine.one_task import ArrayContext, InMemory, share_of
from nightreel.models.forms.arrays import Lists, Numbers, Ratings, Side
from nightreel.models.forms.neighbour_arrays import NeighbourArrays, NeighbourRule
from nightreel.settings.sections import DefaultsFrom, Penalty, PositiveInt, Section


class KnnParams(Section):
    """Hyperparameters of `user_knn` and `item_knn`."""

    similarity: Literal["cosine", "msd", "pearson", "pearson_baseline"]
    """Over the ratings that both have; msd: of the mean squared difference."""
    variant: Literal["basic", "centred", "zscore", "baseline"]
    """What is averaged: ratings, or their distance from the mean of x, from it in standard deviations, from the
    baseline."""
    k: PositiveInt
    """Neighbours of a prediction, the most similar ones that have a rating."""
    min_k: PositiveInt
    """With fewer, the prediction is that of no neighbour: the mean of x, or the baseline."""
    min_support: PositiveInt
    """Ratings that both must have."""
    shrinkage: Penalty
    """Of pearson_baseline: times (n - 1) / (n - 1 + shrinkage)."""
    kept: Annotated[int, Field(ge=0)]
    """Similarities of a user or item that are kept, the highest; 0: all above 0."""
    tasks: PositiveInt
    """That compute similarities on Spark; each holds all ratings, 12 bytes each."""
    baseline: Annotated[BaselineParams, DefaultsFrom("models.baseline")]


class SlopeOneParams(Section):
    """Hyperparameters of `slope_one`."""

    kept: Annotated[int, Field(ge=0)]
    """Deviations of an item that are kept, those with the most common users; 0: all."""
    tasks: PositiveInt
    """That compute deviations on Spark; each holds all ratings, 12 bytes each."""


class _Knn(InMemory[KnnParams]):
    """x: a user or item, y: of the other side. prediction = base + scale_x * sum(s v) / sum(s) over the k nearest x'.

    s is the similarity of x and x', v is the rating of x' and y in the variant's terms (see KnnParams.variant).
    Herlocker et al., "An Algorithmic Framework for Performing Collaborative Filtering", SIGIR 1999; Koren, "Factor in
    the Neighbors", TKDD 2010.
    """

    params_type = KnnParams
    axis: ClassVar[Literal["user", "item"]]

    def fit_arrays(self, ratings: Ratings, *, seed: int, context: ArrayContext | None = None) -> NeighbourArrays:
        from nightreel.models.solve.similarities import similarities

        params, of_items = self.params, self.axis == "item"
        user_bias, item_bias = baseline_biases(ratings, params.baseline)
        biases = (item_bias, user_bias) if of_items else (user_bias, item_bias)
        rows, columns = (ratings.by_item, ratings.by_user) if of_items else (ratings.by_user, ratings.by_item)
        table = similarities(
            rows, columns, measure=params.similarity, min_support=params.min_support, shrinkage=params.shrinkage,
            kept=params.kept, row_bias=biases[0], column_bias=biases[1], mean=ratings.mean,
            share=share_of(context),
        )  # fmt: skip
        means = (ratings.item_means, ratings.user_means) if of_items else (ratings.user_means, ratings.item_means)
        of_x, of_y, scale = self._bases(ratings, rows, means[0], biases)
        x, y = Side.of(means[0], bias=of_x), Side.of(means[1], bias=of_y)
        can = {Capability.PREDICT} | ({Capability.SIMILAR} if of_items else set())
        return NeighbourArrays(
            rule=NeighbourRule(
                axis=self.axis, combine="weighted_mean", k=params.k, min_support=params.min_k,
                biased=params.variant != "basic",
            ),
            users=y if of_items else x,
            items=x if of_items else y,
            table=table,
            scale=scale,
            ratings=ratings,
            global_mean=ratings.mean,
            capabilities=frozenset(can),
        )  # fmt: skip

    def _bases(
        self, ratings: Ratings, rows: Lists, means: Floats, biases: tuple[Numbers, Numbers]
    ) -> tuple[Numbers, Numbers | None, Floats]:
        """The biases of x and of y, and the scale of x."""
        ones = np.ones(len(means), np.float32)
        if self.params.variant == "basic":
            return np.zeros(len(means)), None, ones
        if self.params.variant == "baseline":
            return ratings.mean + biases[0], biases[1], ones
        known = np.nan_to_num(means.astype(np.float64))
        if self.params.variant == "centred":
            return known, None, ones
        owners = np.repeat(np.arange(len(means)), rows.counts)
        squares = np.bincount(owners, (rows.values - known[owners]) ** 2, minlength=len(means))
        deviation = np.sqrt(squares / np.maximum(rows.counts, 1))
        overall = float(ratings.rating.std(dtype=np.float64)) or 1.0
        return known, None, np.where(deviation > 0, deviation, overall).astype(np.float32)


class UserKnn(_Knn):
    __doc__ = (_Knn.__doc__ or "").replace("x: a user or item, y: of the other side.", "x: a user, y: an item.")

    name = "user_knn"
    axis = "user"
    most_users = 100_000


class ItemKnn(_Knn):
    __doc__ = (_Knn.__doc__ or "").replace("x: a user or item, y: of the other side.", "x: an item, y: a user.")

    name = "item_knn"
    axis = "item"
    most_items = 100_000


class SlopeOne(InMemory[SlopeOneParams]):
    """user mean + the mean of dev(i, j) over the user's items j, dev(i, j) the mean of r_i - r_j over common users.

    Lemire and Maclachlan, "Slope One Predictors for Online Rating-Based Collaborative Filtering", SDM 2005.
    """

    name = "slope_one"
    params_type = SlopeOneParams
    most_items = 30_000

    def fit_arrays(self, ratings: Ratings, *, seed: int, context: ArrayContext | None = None) -> NeighbourArrays:
        from nightreel.models.solve.similarities import deviations

        return NeighbourArrays(
            rule=NeighbourRule(axis="item", combine="mean"),
            users=Side.of(ratings.user_means, bias=np.nan_to_num(ratings.user_means)),
            items=Side.of(ratings.item_means),
            table=deviations(ratings.by_item, ratings.by_user, kept=self.params.kept, share=share_of(context)),
            scale=np.ones(ratings.n_items, np.float32),
            ratings=ratings,
            global_mean=ratings.mean,
            capabilities=frozenset({Capability.PREDICT}),
        )
