"""Rating predictors that factorise the known ratings: Funk's SVD, SVD++, NMF, and a baseline by the same descent.

They train in one process, on up to 100 million ratings: 16 bytes a rating and 4 a factor.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nightreel.models.contract import Capability
from nightreel.models.engine.one_task import ArrayContext, InMemory
from nightreel.models.forms.arrays import Ratings, Side
from nightreel.models.forms.factor_arrays import FactorArrays
from nightreel.models.forms.fold_in import FoldIn
from nightreel.settings.sections import Penalty, PositiveInt, Rate, Section


class DescentParams(Section):
    """What the descents share."""

    epochs: PositiveInt
    rate: Rate
    """Learning rate of all parameters."""
    reg: Penalty
    """Of all parameters, at each rating."""


class FunkSvdParams(DescentParams):
    """Hyperparameters of `funk_svd` and `svd_pp`."""

    rank: PositiveInt
    init_std: Rate
    """Of the normal distribution that vectors are drawn from."""


class NmfParams(Section):
    """Hyperparameters of `nmf`."""

    rank: PositiveInt
    epochs: PositiveInt
    user_reg: Penalty
    item_reg: Penalty


class BaselineSgd(InMemory[DescentParams]):
    """mean + user bias + item bias by stochastic gradient descent (Koren, "Factor in the Neighbors", TKDD 2010)."""

    name = "baseline_sgd"
    params_type = DescentParams

    def fit_arrays(self, ratings: Ratings, *, seed: int, context: ArrayContext | None = None) -> FactorArrays:
        from nightreel.models.solve import sgd

        start = _Start(ratings, rank=0, std=0.0, seed=seed)
        sgd.factorise(*start.rows, ratings.mean, *start.biases, *start.vectors, *_recipe(self.params))
        return start.model({Capability.PREDICT, Capability.RECOMMEND}, reg=self.params.reg)


class FunkSvd(InMemory[FunkSvdParams]):
    """mean + user bias + item bias + p_u . q_i by stochastic gradient descent over the ratings.

    Minimises sum (r - prediction)^2 + reg (b_u^2 + b_i^2 + |p_u|^2 + |q_i|^2) (Funk, "Netflix Update: Try This at
    Home", 2006; Koren, Bell and Volinsky, "Matrix Factorization Techniques for Recommender Systems", Computer 2009).
    """

    name = "funk_svd"
    params_type = FunkSvdParams

    def fit_arrays(self, ratings: Ratings, *, seed: int, context: ArrayContext | None = None) -> FactorArrays:
        from nightreel.models.solve import sgd

        start = _Start(ratings, rank=self.params.rank, std=self.params.init_std, seed=seed)
        sgd.factorise(*start.rows, ratings.mean, *start.biases, *start.vectors, *_recipe(self.params))
        return start.model(set(Capability), reg=self.params.reg)


class SvdPp(InMemory[FunkSvdParams]):
    """mean + user bias + item bias + q_i . (p_u + |N(u)|^-1/2 sum of y_j over the user's items N(u)).

    Koren, "Factorization Meets the Neighborhood", KDD 2008. The sum becomes part of the user's vector. An epoch takes
    time linear in the ratings.
    """

    name = "svd_pp"
    params_type = FunkSvdParams

    def fit_arrays(self, ratings: Ratings, *, seed: int, context: ArrayContext | None = None) -> FactorArrays:
        from scipy.sparse import csr_matrix

        from nightreel.models.solve import sgd

        params, lists = self.params, ratings.by_user
        start = _Start(ratings, rank=params.rank, std=params.init_std, seed=seed)
        history = np.random.default_rng([seed, 2]).normal(0.0, params.init_std, start.items.shape)
        sgd.factorise_with_history(
            lists.starts, lists.ids, lists.values, ratings.mean, *start.biases, *start.vectors, history,
            *_recipe(params),
        )  # fmt: skip
        share = 1.0 / np.sqrt(lists.counts[ratings.user_idx])
        start.users += csr_matrix((share, lists.ids, lists.starts), (ratings.n_users, ratings.n_items)) @ history
        return start.model(set(Capability), reg=self.params.reg)


class Nmf(InMemory[NmfParams]):
    """p_u . q_i with nothing below 0, by multiplicative updates over the known ratings.

    Lee and Seung, "Algorithms for Non-negative Matrix Factorization", NIPS 2000; regularised as in Luo et al., "An
    Efficient Non-Negative Matrix-Factorization-Based Approach to Collaborative Filtering", TII 2014.
    """

    name = "nmf"
    params_type = NmfParams

    def fit_arrays(self, ratings: Ratings, *, seed: int, context: ArrayContext | None = None) -> FactorArrays:
        from nightreel.models.solve import sgd

        params, random = self.params, np.random.default_rng(seed)
        users, items = (random.uniform(size=(n, params.rank)) for n in (ratings.n_users, ratings.n_items))
        counts = ratings.by_user.counts, ratings.by_item.counts
        rows = ratings.user_idx, ratings.item_idx, ratings.rating
        sgd.factorise_nonnegative(*rows, *counts, users, items, params.epochs, params.user_reg, params.item_reg)
        return FactorArrays(
            users=Side.of(ratings.user_means, factors=users),
            items=Side.of(ratings.item_means, factors=items),
            mean=0.0,
            global_mean=ratings.mean,
            capabilities=frozenset(Capability),
            fold_in=FoldIn("explicit", reg=params.user_reg),
        )


class _Start:
    """Biases of 0 and drawn vectors, which the descents change in place."""

    def __init__(self, ratings: Ratings, *, rank: int, std: float, seed: int) -> None:
        random = np.random.default_rng(seed)
        self.ratings = ratings
        self.rows = ratings.user_idx, ratings.item_idx, ratings.rating
        self.biases = np.zeros(ratings.n_users), np.zeros(ratings.n_items)
        self.users, self.items = (random.normal(0.0, std, (n, rank)) for n in (ratings.n_users, ratings.n_items))
        self.vectors = self.users, self.items

    def model(self, can: set[Capability], *, reg: float) -> FactorArrays:
        return FactorArrays(
            users=Side.of(self.ratings.user_means, bias=self.biases[0], factors=self.users),
            items=Side.of(self.ratings.item_means, bias=self.biases[1], factors=self.items),
            mean=self.ratings.mean,
            global_mean=self.ratings.mean,
            capabilities=frozenset(can),
            fold_in=FoldIn("joint", reg=reg),
        )


def _recipe(params: DescentParams) -> tuple[Any, ...]:
    return params.epochs, params.rate, params.reg
