"""The planted world: movies of six genres, users who like one or two of them, who rates what, when and how high."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from itertools import product
from typing import Self

import numpy as np
from numpy.typing import NDArray

from nightreel.sample.titles import GENRES, MOST_MOVIES, titles_of

Rng = np.random.Generator
Positions = NDArray[np.int64]

FIRST_DAY, LAST_DAY = date(1999, 11, 11), date(2005, 12, 31)
DAYS = (LAST_DAY - FIRST_DAY).days + 1
"""Days are counted from FIRST_DAY: 0 to DAYS - 1. These are the six years of the Netflix Prize."""

MOST_RATED = 0.6
"""The share of all users who may rate the most popular movie, and of all movies that a user may rate."""

_TASTES = np.array([[genre in pair for genre in range(len(GENRES))] for pair in product(range(len(GENRES)), repeat=2)])
"""The genres that each taste likes, shape (tastes, genres): two, or one where a pair names it twice."""
_SECOND_GENRE = 0.4
"""The share of users who like a second genre."""
_FAN_BOOST = 4.0
"""How much more often a user picks a movie of a genre they like, as a factor."""

_LIKES, _DISLIKES, _TASTE_SPREAD = 0.55, -0.65, 0.25
_LENIENCY_SPREAD, _NOISE = 0.3, 0.84
_MIDDLE, _QUALITY_SPREAD = 3.75, 0.4
"""All in stars."""

_ESTEEM = 0.5
"""How much the logarithm of a movie's popularity grows for each standard deviation of its quality."""
_YEARS_BACK, _MOST_YEARS_BACK, _YEAR_UNKNOWN = 11.0, 85, 2_500
"""Mean and largest age of a movie in years; every 2,500th movie has no year."""


@dataclass(frozen=True)
class Crowd:
    """How many users and movies the real dumps of a format have, and how unevenly ratings spread over them.

    sizes : ratings, users, movies, the smallest dump first; sizes between are interpolated
    activity_spread, popularity_spread : standard deviations of the logarithm of a user's activity and of a movie's
        popularity
    """

    sizes: tuple[tuple[int, int, int], ...]
    activity_spread: float
    popularity_spread: float

    def size(self, ratings: int) -> tuple[int, int]:
        """The number of users and of movies for a number of ratings."""
        steps, *columns = np.log(self.sizes).T
        users, movies = (round(float(np.exp(np.interp(np.log(ratings), steps, column)))) for column in columns)
        most = max(ratings // 2, 10)
        return min(users, most), min(movies, most)


@dataclass(frozen=True)
class World:
    """Movies and users by position.

    titles, genres, years, opens, quality, popularity : shape (movies,). Genres are positions in GENRES; a year of 0 is
        unknown; a movie has no ratings before the day it opens; quality is in stars, of users without a taste
    tastes, activity, joined : shape (users,). Tastes are positions in _TASTES; a user joins on a day
    opinion : stars that a user adds to a movie of a genre, for taste and leniency; shape (genres, users)
    """

    titles: list[str]
    genres: Positions
    years: Positions
    opens: NDArray[np.float32]
    quality: NDArray[np.float32]
    popularity: NDArray[np.float64]
    tastes: Positions
    opinion: NDArray[np.float32]
    activity: NDArray[np.float64]
    joined: NDArray[np.float32]

    @classmethod
    def planted(cls, crowd: Crowd, *, users: int, movies: int, rng: Rng) -> Self:
        genres = rng.permuted(np.tile(np.arange(len(GENRES)), (-(-movies // len(GENRES)), 1)), axis=1).ravel()[:movies]
        years = LAST_DAY.year - np.minimum(rng.exponential(_YEARS_BACK, movies), _MOST_YEARS_BACK).astype(np.int64)
        years[len(GENRES) - 1 :: _YEAR_UNKNOWN] = 0
        quality, fame = rng.normal(0.0, 1.0, (2, movies))
        first = rng.integers(0, len(GENRES), users)
        second = (first + rng.integers(1, len(GENRES), users)) % len(GENRES)
        tastes = first * len(GENRES) + np.where(rng.random(users) < _SECOND_GENRE, second, first)
        taste = np.where(_TASTES[tastes].T, _LIKES, _DISLIKES) + rng.normal(0.0, _TASTE_SPREAD, (len(GENRES), users))
        titles = [iter(rng.permutation(titles_of(genre)).tolist()) for genre in GENRES]
        new_years = (years - 1970).astype("datetime64[Y]") - np.datetime64(FIRST_DAY)
        return cls(
            titles=[next(titles[genre]) for genre in genres.tolist()],
            genres=genres,
            years=years,
            opens=np.maximum(new_years.astype(np.int64), 0).astype(np.float32),
            quality=(_MIDDLE + _QUALITY_SPREAD * quality).astype(np.float32),
            popularity=np.exp(np.sqrt(crowd.popularity_spread**2 - _ESTEEM**2) * fame + _ESTEEM * quality),
            tastes=tastes,
            opinion=(taste + rng.normal(0.0, _LENIENCY_SPREAD, users)).astype(np.float32),
            activity=np.exp(rng.normal(0.0, crowd.activity_spread, users)),
            joined=(0.9 * DAYS * np.sqrt(rng.random(users))).astype(np.float32),
        )

    def raters(self) -> Lottery:
        """Draws the users who rate a movie, by its genre."""
        return Lottery(np.where(_TASTES[self.tastes].T, _FAN_BOOST, 1.0) * self.activity)

    def rated(self) -> Lottery:
        """Draws the movies that a user rates, by the user's taste."""
        return Lottery(np.where(_TASTES[:, self.genres], _FAN_BOOST, 1.0) * self.popularity)

    def days(self, users: Positions, movies: Positions, rng: Rng, *, from_day: float = 0.0) -> NDArray[np.int64]:
        """A day for each pair: when both user and movie are there, and not before `from_day`."""
        first = np.maximum(np.maximum(self.joined[users], self.opens[movies]), np.float32(from_day))
        days: NDArray[np.float32] = first + rng.random(users.size, dtype=np.float32) * (DAYS - first)
        return np.minimum(days, DAYS - 1).astype(np.int64)

    def scores(self, users: Positions, movies: Positions, rng: Rng) -> NDArray[np.float32]:
        """Stars for each pair, not rounded, possibly below 1 or above 5."""
        noise = np.float32(_NOISE) * rng.standard_normal(users.size, dtype=np.float32)
        scores: NDArray[np.float32] = self.quality[movies] + self.opinion[self.genres[movies], users] + noise
        return scores


class Lottery:
    """Draws positions without repeats, each the likelier the greater its weight.

    Parameters
    ----------
    weights : shape (kinds, n), one row for each kind of draw
    """

    def __init__(self, weights: NDArray[np.float64]) -> None:
        self._weights = weights.astype(np.float32)
        sums = np.cumsum(weights, axis=1)
        self._reach = sums / sums[:, -1:]

    def draw(self, kind: int, count: int, rng: Rng) -> Positions:
        """So many positions in random order, at most n."""
        reach = self._reach[kind]
        if count > reach.size // 8:
            # Exponential clocks, the faster the heavier (Efraimidis and Spirakis 2006): many single draws would repeat.
            rings = rng.standard_exponential(reach.size, dtype=np.float32) / self._weights[kind]
            return rng.permutation(np.argpartition(rings, count - 1)[:count])
        found = np.empty(0, dtype=np.int64)
        while (lacking := count - found.size) > 0:
            # The search runs through the sums once when its keys are sorted, which the cache rewards fourfold.
            keys = np.sort(rng.random(lacking + lacking // 4 + 16))
            found = np.union1d(found, np.searchsorted(reach, keys, side="right"))
        return rng.permutation(found)[:count]


def allot(weights: NDArray[np.float64], *, total: int, low: int, high: int) -> Positions:
    """Whole numbers from `low` to `high`, in proportion to the weights as far as that allows, whose sum is the total.

    The caller ensures low * n <= total <= high * n.
    """
    least, most = 0.0, total / float(weights.min())
    for _ in range(100):
        middle = (least + most) / 2
        least, most = (least, middle) if np.clip(middle * weights, low, high).sum() > total else (middle, most)
    shares = np.clip(least * weights, low, high)
    counts = np.floor(shares).astype(np.int64)
    by_remainder = np.argsort(counts - shares, kind="stable")
    while (missing := total - int(counts.sum())) > 0:
        counts[by_remainder[counts[by_remainder] < high][:missing]] += 1
    return counts


NETFLIX = Crowd(
    ((1_000, 100, 50), (200_000, 2_500, 600), (22_000_000, 465_000, 4_500), (100_480_507, 480_189, 17_770)),
    activity_spread=1.2,
    popularity_spread=1.5,
)
MOVIELENS = Crowd(
    ((1_000, 20, 300), (100_836, 610, 9_742), (1_000_209, 6_040, 12_000), (20_000_263, 138_493, MOST_MOVIES)),
    activity_spread=1.25,
    popularity_spread=2.1,
)
