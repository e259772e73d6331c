"""Who rates which film, when and how much they like it: user by user, each with their exact number of ratings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nightreel.sample.world.crowds import Crowd
from nightreel.sample.world.opinions import Opinions, Rng
from nightreel.sample.world.period import FIRST_SECOND, LAST_SECOND, SECONDS_A_DAY
from nightreel.sample.world.shelf import Pairs, Shelf, places

_SITTING = 7_200
_REPEATED_WITHIN = 60 * SECONDS_A_DAY
_A_MINUTE = 60


@dataclass(frozen=True)
class UserRows:
    """The rows of neighbouring users, by user, then film, then time. Arrays have the shape (rows,)."""

    users: NDArray[np.int64]
    """Positions in the audience."""
    movies: NDArray[np.int64]
    """Positions in the catalogue."""
    scores: NDArray[np.float32]
    times: NDArray[np.int64]
    """Seconds since 1970, UTC; of a pair that is repeated at least a minute apart."""


@dataclass(frozen=True)
class ByUser:
    """Rows of any users, from how many they have."""

    opinions: Opinions
    shelf: Shelf
    ratings: NDArray[np.int64]
    """Of each user, repeated ones included."""
    repeats: NDArray[np.int64]
    """How many of a user's ratings repeat one of the others."""

    @classmethod
    def planted(cls, opinions: Opinions, ratings: NDArray[np.int64], *, crowd: Crowd, repeats: int, rng: Rng) -> ByUser:
        return cls(
            opinions=opinions,
            shelf=Shelf.filled(opinions, opinions.catalogue.popularity(crowd.popularity_spread)),
            ratings=ratings,
            repeats=rng.multivariate_hypergeometric(ratings // 2, repeats, method="marginals"),
        )

    def rows(self, users: range, rng: Rng) -> UserRows:
        repeats = self.repeats[users.start : users.stop]
        pairs = self.shelf.pick(users, self.ratings[users.start : users.stop] - repeats, rng)
        again = _chosen(pairs // self.shelf.films.size, repeats, rng)
        rows = self._told(users, np.concatenate([pairs, pairs[again]]), rng)
        return _second_thoughts(rows, again, rng) if again.size else rows

    def _told(self, users: range, pairs: Pairs, rng: Rng) -> UserRows:
        local, movies = np.divmod(pairs, self.shelf.films.size)
        everyone = local + users.start
        days = self.opinions.days(everyone, movies, rng)
        # People have their hour for it.
        hours = rng.integers(0, SECONDS_A_DAY - _SITTING, len(users))[local]
        return UserRows(
            users=everyone,
            movies=movies,
            scores=self.opinions.scores(everyone, movies, days, rng),
            times=FIRST_SECOND + days * np.int64(SECONDS_A_DAY) + hours + rng.integers(0, _SITTING, pairs.size),
        )


def _chosen(owners: NDArray[np.int64], counts: NDArray[np.int64], rng: Rng) -> NDArray[np.int64]:
    """So many rows of each owner, at random; owners ascend."""
    if not counts.any():
        return np.empty(0, dtype=np.int64)
    shuffled = np.argsort(owners + rng.random(owners.size))
    return shuffled[places(owners, counts.size) < counts[owners]]


def _second_thoughts(rows: UserRows, again: NDArray[np.int64], rng: Rng) -> UserRows:
    """The last rows, which repeat those at `again`, move to later times than theirs; then all into order."""
    times = rows.times.copy()
    times[again] = np.minimum(times[again], LAST_SECOND - _A_MINUTE)
    later = times[again] + rng.integers(_A_MINUTE, _REPEATED_WITHIN, again.size)
    times[-again.size :] = np.minimum(later, LAST_SECOND)
    # A stable sort leaves each second thought behind the first.
    order = np.argsort(rows.users * (int(rows.movies.max()) + 1) + rows.movies, kind="stable")
    return UserRows(rows.users[order], rows.movies[order], rows.scores[order], times[order])
