"""The blend form in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from nightreel.models.contract import Capability
from nightreel.models.engine.catalogue import Floats, Ints, Ranked
from nightreel.models.forms.arrays import ArrayModel, Explanation, Lists, Predicted, Ratings


@dataclass(frozen=True)
class RatingBlendArrays(ArrayModel):
    """RatingBlend in memory."""

    members: Mapping[str, ArrayModel]
    weights: Mapping[str, float]
    intercept: float
    capabilities: frozenset[Capability] = frozenset({Capability.PREDICT})

    def predict(self, user_idx: Ints, item_idx: Ints) -> Predicted:
        self.require(Capability.PREDICT)
        answers = {name: member.predict(user_idx, item_idx) for name, member in self.members.items()}
        first = next(iter(answers.values()))
        score = np.full(len(first.cold), self.intercept)
        for name, weight in self.weights.items():
            score += weight * answers[name].prediction
        return Predicted(np.where(first.cold, first.prediction, score).astype(np.float32), first.cold)

    def recommend(self, user_idx: Ints, *, n: int, seen: Lists) -> Ranked:
        raise self.cannot(Capability.RECOMMEND)

    def with_users(self, ratings: Ratings) -> RatingBlendArrays:
        return replace(self, members={name: member.with_users(ratings) for name, member in self.members.items()})

    def explain(self, user_idx: int, item_idx: int, ratings: Ratings) -> Explanation:
        parts = [
            (weight, self.members[name].explain(user_idx, item_idx, ratings)) for name, weight in self.weights.items()
        ]
        items = np.concatenate([part.items for _, part in parts])
        rated, place = np.unique(items, return_inverse=True)
        amounts = np.zeros(len(rated))
        np.add.at(amounts, place, np.concatenate([weight * part.amounts for weight, part in parts]))
        score, base, rest = (
            float(sum(weight * getattr(part, name) for weight, part in parts)) for name in ("score", "base", "rest")
        )
        how = f"the weighted sum of its members' explanations: {', '.join(self.weights)}"
        return Explanation(score + self.intercept, base + self.intercept, rated, amounts, rest, how)


@dataclass(frozen=True)
class ListBlendArrays(ArrayModel):
    """ListBlend in memory.

    share : (users,), w(n)
    half, min_rating : of w(n), n the ratings of at least min_rating
    """

    regular: ArrayModel
    newcomer: ArrayModel
    share: Floats
    depth: int
    half: float
    min_rating: float
    capabilities: frozenset[Capability] = frozenset({Capability.RECOMMEND})

    @staticmethod
    def share_of(ratings: Ratings, *, half: float, min_rating: float) -> Floats:
        """(users,): w(n)."""
        liked = np.bincount(ratings.user_idx, ratings.rating >= min_rating, minlength=ratings.n_users)
        share: Floats = (liked / np.maximum(liked + half, np.finfo(np.float64).tiny)).astype(np.float32)
        return share

    def with_users(self, ratings: Ratings) -> ListBlendArrays:
        return replace(
            self,
            regular=self.regular.with_users(ratings),
            newcomer=self.newcomer.with_users(ratings),
            share=self.share_of(ratings, half=self.half, min_rating=self.min_rating),
        )

    def explain(self, user_idx: int, item_idx: int, ratings: Ratings) -> Explanation:
        regular = self.share[user_idx] >= 0.5
        member = self.regular if regular else self.newcomer
        weight = f"{self.share[user_idx] if regular else 1 - self.share[user_idx]:.0%}"
        found = member.explain(user_idx, item_idx, ratings)
        which = "what fits the user" if regular else "what is popular"
        return found._replace(how=f"{found.how}; of the member for {which}, which weighs {weight}")

    def predict(self, user_idx: Ints, item_idx: Ints) -> Predicted:
        raise self.cannot(Capability.PREDICT)

    def recommend(self, user_idx: Ints, *, n: int, seen: Lists) -> Ranked:
        self.require(Capability.RECOMMEND)
        inside = (user_idx >= 0) & (user_idx < len(self.share))
        share = np.where(inside, self.share[np.where(inside, user_idx, 0)], 0.0)
        rows, items, parts = [], [], []
        for member, weight in ((self.regular, share), (self.newcomer, 1 - share)):
            ranked = member.recommend(user_idx, n=max(n, self.depth), seen=seen)
            rows.append(ranked.row)
            items.append(ranked.item_idx.astype(np.int64))
            parts.append(weight[ranked.row] * _scaled_scores(ranked, len(user_idx)))
        row, item = np.concatenate(rows), np.concatenate(items)
        width = int(item.max(initial=0)) + 1
        pairs, place = np.unique(row * width + item, return_inverse=True)
        scores = np.bincount(place, np.concatenate(parts), minlength=len(pairs)).astype(np.float32)
        row, item = np.divmod(pairs, width)
        order = np.lexsort((item, -scores, row))
        row, item, scores = row[order], item[order], scores[order]
        counts = np.bincount(row, minlength=len(user_idx))
        rank = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts) + 1
        best = rank <= n
        return Ranked(row[best], rank[best], item[best].astype(np.int32), scores[best])


def _scaled_scores(ranked: Ranked, users: int) -> Floats:
    """Each score from 0 for the lowest of its user's list to 1 for the highest."""
    lowest, highest = np.full(users, np.inf), np.full(users, -np.inf)
    np.minimum.at(lowest, ranked.row, ranked.score)
    np.maximum.at(highest, ranked.row, ranked.score)
    spread = (highest - lowest)[ranked.row]
    scaled: Floats = np.where(spread > 0, (ranked.score - lowest[ranked.row]) / np.where(spread > 0, spread, 1), 1.0)
    return scaled
