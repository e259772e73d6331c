"""The factors form in memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from nightreel.errors import CapabilityError
from nightreel.models.contract import Capability
from nightreel.models.engine.catalogue import Catalogue, Floats, Ints, Ranked, Users
from nightreel.models.forms.arrays import (
    ArrayModel,
    Bools,
    Explanation,
    Lists,
    Numbers,
    Predicted,
    Ratings,
    Side,
    is_known,
    with_fallback,
    within,
)
from nightreel.models.forms.fold_in import FixedItems, FoldIn
from nightreel.models.forms.samples import Samples, Unknown

_PAIRS_AT_ONCE = 1 << 15


@dataclass(frozen=True)
class FactorArrays(ArrayModel):
    """score = mean + user bias + item bias + user factors . item factors.

    fold_in : how users are added; None where they cannot be
    samples : where the factors are a chain's samples, what they are
    """

    users: Side
    items: Side
    mean: float
    global_mean: float
    capabilities: frozenset[Capability]
    fold_in: FoldIn | None = None
    samples: Samples | None = None

    def predict(self, user_idx: Ints, item_idx: Ints) -> Predicted:
        self.require(Capability.PREDICT)
        if self.samples is not None:
            return self._by_samples(user_idx, item_idx, self.samples)
        user, item = within(user_idx, self.users.known), within(item_idx, self.items.known)
        products = np.einsum("ij,ij->i", self.users.factors[user], self.items.factors[item])
        score = self.mean + self.users.bias[user].astype(np.float64) + self.items.bias[item] + products
        return with_fallback(
            score, user_idx, item_idx, users=self.users, items=self.items, global_mean=self.global_mean
        )

    def _by_samples(self, user_idx: Ints, item_idx: Ints, samples: Samples) -> Predicted:
        """As predict; who or what is unknown is drawn from the prior, and so the least certain."""
        found: list[Predicted] = []
        for start in range(0, max(len(user_idx), 1), _PAIRS_AT_ONCE):
            part = slice(start, start + _PAIRS_AT_ONCE)
            users, user_bias, new_user = _laid(self.users, user_idx[part], samples.user)
            items, item_bias, new_item = _laid(self.items, item_idx[part], samples.item)
            score = self.mean + user_bias + item_bias + np.einsum("ij,ij->i", users, items)
            found.append(Predicted(score.astype(np.float32), new_user | new_item, samples.deviation(users, items)))
        return Predicted(*(np.concatenate([getattr(part, name) for part in found]) for name in Predicted._fields))

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
        around = None if self.samples is None else self.samples.user
        return FixedItems(self.fold_in, self.items, mean=self.mean, around=around)

    @cached_property
    def _catalogue(self) -> Catalogue:
        known = np.flatnonzero(self.items.known)
        return Catalogue(known.astype(np.int32), self.items.bias[known], self.items.factors[known])


def _laid(side: Side, index: Ints, unknown: Unknown) -> tuple[Floats, Numbers, Bools]:
    """The vectors and biases of these indices, and which of them are unknown."""
    new, place = ~is_known(index, side.known), within(index, side.known)
    vectors, bias = side.factors[place], side.bias[place].astype(np.float64)
    vectors[new], bias[new] = unknown.vector, unknown.bias
    return vectors, bias, new
