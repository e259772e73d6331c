"""The factors form in memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from nightreel.errors import CapabilityError
from nightreel.models.contract import Capability
from nightreel.models.engine.catalogue import Catalogue, Ints, Ranked, Users
from nightreel.models.forms.arrays import (
    ArrayModel,
    Explanation,
    Lists,
    Predicted,
    Ratings,
    Side,
    is_known,
    with_fallback,
    within,
)
from nightreel.models.forms.fold_in import FixedItems, FoldIn


@dataclass(frozen=True)
class FactorArrays(ArrayModel):
    """score = mean + user bias + item bias + user factors . item factors.

    fold_in : how users are added; None where they cannot be
    """

    users: Side
    items: Side
    mean: float
    global_mean: float
    capabilities: frozenset[Capability]
    fold_in: FoldIn | None = None

    def predict(self, user_idx: Ints, item_idx: Ints) -> Predicted:
        self.require(Capability.PREDICT)
        user, item = within(user_idx, self.users.known), within(item_idx, self.items.known)
        products = np.einsum("ij,ij->i", self.users.factors[user], self.items.factors[item])
        score = self.mean + self.users.bias[user].astype(np.float64) + self.items.bias[item] + products
        return with_fallback(
            score, user_idx, item_idx, users=self.users, items=self.items, global_mean=self.global_mean
        )

    def recommend(self, user_idx: Ints, *, n: int, seen: Lists) -> Ranked:
        self.require(Capability.RECOMMEND)
        known = self.users.known
        user, trained = within(user_idx, known), is_known(user_idx, known)
        bias = np.where(trained, self.users.bias[user], self.users.bias[known].mean(dtype=np.float64))
        average = self.users.factors[known].mean(axis=0, dtype=np.float64)
        factors = np.where(trained[:, None], self.users.factors[user], average)
        group = Users(bias.astype(np.float32), factors.astype(np.float32), seen.ids, seen.counts)
        best = self._catalogue.best(group, n)
        return best._replace(score=best.score + group.bias[best.row] + np.float32(self.mean))

    def with_users(self, ratings: Ratings) -> FactorArrays:
        fixed, lists = self._fixed_items, ratings.by_user
        folded = [fixed.fold(*lists.of(np.array([user]))[1:]) for user in range(ratings.n_users)]
        factors = np.array([one.vector for one in folded]).reshape(ratings.n_users, self.items.factors.shape[1])
        return replace(
            self, users=Side.of(ratings.user_means, bias=np.array([one.bias for one in folded]), factors=factors)
        )

    def explain(self, user_idx: int, item_idx: int, ratings: Ratings) -> Explanation:
        items, values = ratings.by_user.of(np.array([user_idx]))[1:]
        folded = self._fixed_items.fold(items, values)
        amounts = folded.amounts(self.items.factors[item_idx])
        base = self.mean + float(self.items.bias[item_idx])
        score = base + float(self.users.bias[user_idx]) + float(
            self.users.factors[user_idx].astype(np.float64) @ self.items.factors[item_idx]
        )  # fmt: skip
        how = "the closed form: what each rating adds to the score, with the items' vectors fixed"
        return Explanation(score, base, items[folded.used], amounts, score - base - float(amounts.sum()), how)

    @cached_property
    def _fixed_items(self) -> FixedItems:
        if self.fold_in is None:
            raise CapabilityError("the model cannot take users that it was not trained on, and has no explanations")
        return FixedItems(self.fold_in, self.items, mean=self.mean)

    @cached_property
    def _catalogue(self) -> Catalogue:
        known = np.flatnonzero(self.items.known)
        return Catalogue(known.astype(np.int32), self.items.bias[known], self.items.factors[known])
