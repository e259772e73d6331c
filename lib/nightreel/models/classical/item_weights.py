"""Rankers from how often two items have a user in common: EASE, and the items' cosine.

score(user, item) = sum of the item's weights with the user's history, in which a positive counts 1 and another rating
`below`. Each item keeps its strongest weights.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import ClassVar, TypeVar

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from nightreel.errors import DataError
from nightreel.models.contract import Capability, TrainedModel, TrainingContext
from nightreel.models.engine.catalogue import Floats
from nightreel.models.engine.one_task import ArrayContext, InMemory, no_positives, share_of
from nightreel.models.engine.row_blocks import Share
from nightreel.models.forms.arrays import Lists, Ratings, stacked, strongest
from nightreel.models.forms.factors import mean_rating, without_factors
from nightreel.models.forms.neighbour_arrays import NeighbourArrays, NeighbourRule, histories_of, ranker
from nightreel.models.forms.neighbours import NeighbourModel
from nightreel.models.solve.spark_als import cut
from nightreel.settings.sections import Penalty, PositiveInt, Rate, Section

_CAN = frozenset({Capability.RECOMMEND, Capability.SIMILAR})
_ROWS = 512


class ItemWeightsParams(Section):
    """What both share."""

    kept: PositiveInt
    """Weights that an item keeps: the largest, whatever their sign."""
    min_rating: float
    """What counts as a positive, with 1."""
    below: Penalty
    """What another rating counts: that a user has met an item tells something even where it was not liked."""
    tasks: PositiveInt
    """Tasks that count the Gramian; each holds one, 4 bytes for a pair of items. Beyond 25,000 items each holds all
    ratings."""


class EaseParams(ItemWeightsParams):
    """Hyperparameters of `ease`."""

    reg: Rate
    """Added to the diagonal of the Gramian, in positives."""


class ItemCosineParams(ItemWeightsParams):
    """Hyperparameters of `item_cosine`."""

    shrink: Penalty
    """Added to the denominator: draws the similarity of seldom liked items to 0."""


ItemParamsT = TypeVar("ItemParamsT", bound=ItemWeightsParams)


class ItemWeights(InMemory[ItemParamsT]):
    """Counts the Gramian G in blocks of users, on the executors; one task makes the weights of it."""

    most_items = 100_000
    """More are refused, whose pairs would take hours."""
    most_dense_items: ClassVar[int] = 25_000
    """Their Gramian takes 2.5 GB of one task; of more items sparse products are made, in `tasks` tasks."""

    @abstractmethod
    def weights(self, gramian: Floats) -> Lists:
        """For each item the items it has weights with, the largest first; the Gramian may be overwritten.

        Parameters
        ----------
        gramian : (items, items) float32, 0 below the diagonal
        """

    def check_size(self, *, users: int, items: int, ratings: int) -> None:
        if items > self.most_items:
            raise DataError(
                f"model {self.name}: {items:,} items, and it compares each with each, of at most {self.most_items:,}; "
                "raise filter.min_ratings_per_item, or rank by als_implicit"
            )
        if items > self.most_dense_items:
            super().check_size(users=users, items=items, ratings=ratings)

    @abstractmethod
    def sparse_weights(self, lists: Lists, n_items: int, share: Share) -> Lists:
        """As `weights` for the share's items, from the histories by user, where all pairs do not fit one task."""

    def fit_arrays(self, ratings: Ratings, *, seed: int, context: ArrayContext | None = None) -> NeighbourArrays:
        from nightreel.models.solve.gramian import gramian

        if not (ratings.rating >= self.params.min_rating).any():
            raise no_positives(self.name, self.params.min_rating)
        lists = histories_of(ratings, min_rating=self.params.min_rating, below=self.params.below)
        if ratings.n_items <= self.most_dense_items:
            table = self.weights(gramian(lists, ratings.n_items))
        else:
            table = self.sparse_weights(lists, ratings.n_items, share_of(context))
        return ranker(ratings, self._rule(), table, can=_CAN)

    def fit(self, interactions: DataFrame, *, seed: int, context: TrainingContext | None = None) -> TrainedModel:
        from nightreel.models.solve.gramian import with_gramian

        positive = F.col("rating") >= F.lit(self.params.min_rating)
        last, users, liked = interactions.agg(
            F.max("item_idx"), F.count_distinct("user_idx"), F.count_if(positive)
        ).collect()[0]
        mean = mean_rating(interactions)
        if not liked:
            raise no_positives(self.name, self.params.min_rating)
        self.check_size(users=users, items=last + 1, ratings=0)
        if last >= self.most_dense_items:
            return super().fit(interactions, seed=seed, context=context)

        def table(gramian: Floats) -> Iterator[pa.RecordBatch]:
            lists = self.weights(gramian)
            ends = pa.array(lists.starts.astype(np.int32))
            columns = {
                "idx": pa.array(np.arange(last + 1, dtype=np.int32)),
                "scale": pa.array(np.ones(last + 1, np.float32)),
                "neighbours": pa.ListArray.from_arrays(ends, pa.array(lists.ids)),
                "weights": pa.ListArray.from_arrays(ends, pa.array(lists.values)),
            }
            yield from pa.table(columns).to_batches(max_chunksize=1 << 12)

        value = F.when(positive, F.lit(1.0)).otherwise(F.lit(self.params.below)).cast("float").alias("value")
        pairs = interactions.select("user_idx", "item_idx", value).where("value != 0")
        schema = "idx int, scale float, neighbours array<int>, weights array<float>"
        counted = with_gramian(pairs, table, n_items=last + 1, tasks=self.params.tasks, schema=schema)
        of_rating = F.avg(F.col("rating").cast("double")).alias("mean_rating")
        share = (F.count_if(positive) / F.lit(users)).alias("bias")
        items = interactions.groupBy("item_idx").agg(share, of_rating)
        return NeighbourModel(
            algorithm=self.name,
            rule=self._rule(),
            users=without_factors(
                interactions.groupBy("user_idx").agg(F.lit(0.0).alias("bias"), of_rating), "user_idx"
            ),
            items=without_factors(items, "item_idx"),
            table=cut(counted).join(items.select(F.col("item_idx").alias("idx")), "idx", "left_semi"),
            ratings=interactions.select("user_idx", "item_idx", "rating"),
            global_mean=mean,
            capabilities=_CAN,
        )

    def _strongest(self, upper: Floats, weights_of: Callable[[Floats, int], Floats]) -> Lists:
        """Of rows of the symmetric matrix, their first row's number given, the weights; the largest of each row."""
        from nightreel.models.solve.gramian import symmetric

        whole, blocks = symmetric(upper), list[Lists]()
        for first in range(0, len(whole), _ROWS):
            weights = weights_of(whole[first : first + _ROWS], first)
            weights[np.arange(len(weights)), first + np.arange(len(weights))] = 0.0
            blocks.append(strongest(weights, self.params.kept))
        return stacked(blocks)

    def _rule(self) -> NeighbourRule:
        return NeighbourRule(axis="item", combine="rank", min_rating=self.params.min_rating, below=self.params.below)


class Ease(ItemWeights[EaseParams]):
    """Weights B with P = (G + reg I)^-1: B_ij = -P_ij / P_jj, B_jj = 0.

    They minimise |X - X B|^2 + reg |B|^2 with a diagonal of 0 (Steck, "Embarrassingly Shallow Autoencoders for Sparse
    Data", WWW 2019). Any number of users; the inverse of up to 25,000 items in one task, by Cholesky. Of up to 100,000
    items each has weights with its 100 nearest alone (solve/sparse_ease.py).
    """

    name = "ease"
    params_type = EaseParams

    def weights(self, gramian: Floats) -> Lists:
        from scipy.linalg import lapack

        gramian[np.diag_indices(len(gramian))] += np.float32(self.params.reg)
        # LAPACK reads columns first: of the transposed view it sees the lower triangle, and works in place.
        factor, failed = lapack.spotrf(gramian.T, lower=1, clean=0, overwrite_a=1)
        if not failed:
            inverse, failed = lapack.spotri(factor, lower=1, overwrite_c=1)
        if failed:
            raise DataError(f"ease: the Gramian cannot be inverted with reg = {self.params.reg:g}; raise it")
        diagonal = inverse.diagonal().copy()
        return self._strongest(inverse.T, lambda rows, first: -rows / diagonal[first : first + len(rows), None])

    def sparse_weights(self, lists: Lists, n_items: int, share: Share) -> Lists:
        from nightreel.models.solve.sparse_ease import sparse_ease

        return sparse_ease(lists, n_items, reg=self.params.reg, kept=self.params.kept, share=share)


class ItemCosine(ItemWeights[ItemCosineParams]):
    """Weights G_ij / (sqrt(G_ii G_jj) + shrink): the cosine of the items' columns of positives.

    Sarwar et al., "Item-based Collaborative Filtering Recommendation Algorithms", WWW 2001. As large as `ease`.
    """

    name = "item_cosine"
    params_type = ItemCosineParams

    def sparse_weights(self, lists: Lists, n_items: int, share: Share) -> Lists:
        from nightreel.models.solve.similarities import cosines

        by_item = lists.transposed(n_items)
        return cosines(by_item, len(lists.counts), kept=self.params.kept, shrink=self.params.shrink, share=share)

    def weights(self, gramian: Floats) -> Lists:
        lengths, shrink = np.sqrt(gramian.diagonal()), np.float32(self.params.shrink)

        def cosines(rows: Floats, first: int) -> Floats:
            products = lengths[first : first + len(rows), None] * lengths + shrink
            return np.divide(rows, products, out=np.zeros_like(rows), where=rows > 0)

        return self._strongest(gramian, cosines)
