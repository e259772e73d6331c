"""When a user rates a film, and how they like it then: opinions that move over the years."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nightreel.sample.language.titles import GENRES
from nightreel.sample.world.audience import Audience
from nightreel.sample.world.catalogue import Catalogue
from nightreel.sample.world.crowds import Crowd
from nightreel.sample.world.period import DAYS

_NOISE = 0.8
_FASHION, _FASHION_DAYS = 0.3, 3 * 365
_EARLIEST_PACE, _LATEST_PACE = 2.0, 0.8

Rng = np.random.Generator
Positions = NDArray[np.int64] | int


@dataclass(frozen=True)
class Opinions:
    """Three things move with time.

    fashion : each genre rises and falls with everyone by 0.3 stars, in waves of three years, no two in step
    drift : each user's opinion of each genre moves in a straight line (Audience.drift)
    pace : some genres are rated mostly early in a user's years, others late, so that what is popular changes
    """

    catalogue: Catalogue
    audience: Audience
    fashion: NDArray[np.float32]
    """Stars that everyone adds to a genre on a day, shape (genres, DAYS)."""
    pace: NDArray[np.float32]
    """The power of a uniform number that gives the share of a user's years after which a genre is rated."""
    once: NDArray[np.bool_]
    """Whether a user rates on the day they join alone, shape (users,): films that are not there yet come later."""

    @classmethod
    def planted(cls, *, users: int, movies: int, crowd: Crowd, seed: int) -> Opinions:
        rng = np.random.default_rng([seed, 3])
        audience = Audience.planted(users=users, seed=seed)
        phases = rng.permutation(len(GENRES)) / len(GENRES)
        waves = np.arange(DAYS) / _FASHION_DAYS + phases[:, np.newaxis]
        pace = rng.permutation(np.geomspace(_EARLIEST_PACE, _LATEST_PACE, len(GENRES)))
        return cls(
            catalogue=Catalogue.planted(movies=movies, seed=seed),
            audience=audience,
            fashion=(_FASHION * np.sin(2 * np.pi * waves)).astype(np.float32),
            pace=pace.astype(np.float32),
            once=audience.patience < crowd.one_sitting,
        )

    def days(
        self, users: NDArray[np.int64], movies: Positions, rng: Rng, *, from_day: float = 0.0
    ) -> NDArray[np.int32]:
        """Days from when both user and film are there to the last, and none before `from_day`; one for each user."""
        joined = self.audience.joined[users]
        opens = np.maximum(self.catalogue.opens[movies], np.float32(from_day))
        share = rng.random(users.size, dtype=np.float32) ** self.pace[self.catalogue.genres[movies]]
        share[self.once[users]] = 0
        first = np.maximum(joined, opens)
        days: NDArray[np.float32] = np.minimum(first + share * (DAYS - first), DAYS - 1)
        return days.astype(np.int32)

    def scores(
        self, users: NDArray[np.int64], movies: Positions, days: NDArray[np.int32], rng: Rng
    ) -> NDArray[np.float32]:
        """Unrounded stars, which may lie beyond 1 and 5; one for each user."""
        genres = self.catalogue.genres[movies]
        scores: NDArray[np.float32] = self.catalogue.quality[movies] + self.audience.opinion[genres, users]
        scores += self.audience.drift[genres, users] * (days.astype(np.float32) / DAYS - np.float32(0.5))
        scores += self.fashion[genres, days]
        scores += _NOISE * rng.standard_normal(users.size, dtype=np.float32)
        return scores
