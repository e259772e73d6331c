"""Rating predictors that are drawn, decomposed or clustered: random, truncated SVD and co-clustering."""

from __future__ import annotations

import numpy as np

from nightreel.models.contract import Capability
from nightreel.models.engine.catalogue import Ints
from nightreel.models.engine.one_task import ArrayContext, InMemory
from nightreel.models.forms.arrays import Numbers, Ratings, Side
from nightreel.models.forms.factor_arrays import FactorArrays
from nightreel.settings.sections import PositiveInt, Section


class RandomParams(Section):
    """Hyperparameters of `random`."""

    rank: PositiveInt
    """Length of the drawn vectors: the longer, the closer to a normal distribution."""


class SvdParams(Section):
    """Hyperparameters of `svd`."""

    rank: PositiveInt
    """Singular values kept."""


class CoClusteringParams(Section):
    """Hyperparameters of `co_clustering`."""

    user_clusters: PositiveInt
    item_clusters: PositiveInt
    epochs: PositiveInt


class Random(InMemory[RandomParams]):
    """Normal noise with the ratings' mean and standard deviation: what no model may be worse than.

    The noise of a pair is an inner product of drawn vectors, so that it is the same whenever it is asked for.
    """

    name = "random"
    params_type = RandomParams

    def fit_arrays(self, ratings: Ratings, *, seed: int, context: ArrayContext | None = None) -> FactorArrays:
        random, rank = np.random.default_rng(seed), self.params.rank
        deviation = float(ratings.rating.std(dtype=np.float64))
        users = random.normal(0.0, deviation / np.sqrt(rank), (ratings.n_users, rank))
        items = random.normal(0.0, 1.0, (ratings.n_items, rank))
        return FactorArrays(
            users=Side.of(ratings.user_means, factors=users),
            items=Side.of(ratings.item_means, factors=items),
            mean=ratings.mean,
            global_mean=ratings.mean,
            capabilities=frozenset({Capability.PREDICT}),
        )


class Svd(InMemory[SvdParams]):
    """user mean + (U S V')_ui: the truncated SVD of the ratings less their user's mean, 0 where there is none.

    Sarwar et al., "Application of Dimensionality Reduction in Recommender System", WebKDD 2000. It reproduces the
    zeros too, so it ranks better than it predicts. Sparse products: up to 100 million ratings.
    """

    name = "svd"
    params_type = SvdParams

    def fit_arrays(self, ratings: Ratings, *, seed: int, context: ArrayContext | None = None) -> FactorArrays:
        from scipy.sparse import csr_matrix
        from scipy.sparse.linalg import svds

        centred = ratings.rating.astype(np.float64) - ratings.user_means[ratings.user_idx]
        shape = ratings.n_users, ratings.n_items
        matrix = csr_matrix((centred, (ratings.user_idx, ratings.item_idx)), shape=shape)
        rank = min(self.params.rank, min(shape) - 1)
        start = np.random.default_rng(seed).normal(size=min(shape))
        left, values, right = (
            svds(matrix, k=rank, v0=start) if rank else (np.zeros((shape[0], 0)), [], np.zeros((0, shape[1])))
        )
        signs = np.sign(right[np.arange(rank), np.abs(right).argmax(axis=1)])  # a pair of vectors may be negated
        return FactorArrays(
            users=Side.of(ratings.user_means, bias=np.nan_to_num(ratings.user_means), factors=left * values * signs),
            items=Side.of(ratings.item_means, factors=right.T * signs),
            mean=0.0,
            global_mean=ratings.mean,
            capabilities=frozenset(Capability),
        )


class CoClustering(InMemory[CoClusteringParams]):
    """block mean + (user mean - its cluster's mean) + (item mean - its cluster's mean).

    Users and items move in turn to the cluster with the least squared error (George and Merugu, "A Scalable
    Collaborative Filtering Framework Based on Co-Clustering", ICDM 2005). In the factors form a user's vector marks its
    cluster, and an item's holds its cluster's block means.
    """

    name = "co_clustering"
    params_type = CoClusteringParams

    def fit_arrays(self, ratings: Ratings, *, seed: int, context: ArrayContext | None = None) -> FactorArrays:
        from nightreel.models.solve.sgd import nearest_clusters

        params, random = self.params, np.random.default_rng(seed)
        user_means, item_means = (
            np.nan_to_num(means.astype(np.float64), nan=ratings.mean)
            for means in (ratings.user_means, ratings.item_means)
        )
        users = random.integers(params.user_clusters, size=ratings.n_users)
        items = random.integers(params.item_clusters, size=ratings.n_items)
        for _ in range(params.epochs):
            blocks, of_users, of_items = self._means(ratings, users, items)
            nearest_clusters(*ratings.by_user, user_means, of_users, item_means, items, of_items, blocks, users)
            nearest_clusters(
                *ratings.by_item,
                item_means,
                of_items,
                user_means,
                users,
                of_users,
                np.ascontiguousarray(blocks.T),
                items,
            )
        blocks, of_users, of_items = self._means(ratings, users, items)
        return FactorArrays(
            users=Side.of(
                ratings.user_means, bias=user_means - of_users[users], factors=np.eye(params.user_clusters)[users]
            ),
            items=Side.of(ratings.item_means, bias=item_means - of_items[items], factors=blocks.T[items]),
            mean=0.0,
            global_mean=ratings.mean,
            capabilities=frozenset({Capability.PREDICT, Capability.RECOMMEND}),
        )

    def _means(self, ratings: Ratings, users: Ints, items: Ints) -> tuple[Numbers, Numbers, Numbers]:
        """Of blocks (user clusters, item clusters), user clusters and item clusters; the global one where empty."""
        shape = self.params.user_clusters, self.params.item_clusters
        block = users[ratings.user_idx] * shape[1] + items[ratings.item_idx]
        sums = np.bincount(block, ratings.rating, minlength=shape[0] * shape[1]).astype(np.float64).reshape(shape)
        counts = np.bincount(block, minlength=shape[0] * shape[1]).reshape(shape)

        def means(sums: Numbers, counts: Ints) -> Numbers:
            return np.where(counts > 0, sums / np.maximum(counts, 1), ratings.mean)

        return means(sums, counts), means(sums.sum(1), counts.sum(1)), means(sums.sum(0), counts.sum(0))
