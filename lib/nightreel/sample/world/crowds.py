"""How many users and films a format's ratings come from, and how unevenly they spread: as in its real dumps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from nightreel.errors import ConfigurationError
from nightreel.sample.language.titles import GENRES, MOST_MOVIES

Format = Literal["netflix", "movielens", "kmrd", "metadata"]

MOST_RATERS = 0.6
"""Of all users, the share that the most popular film may have as raters; of all films, the share one user may rate."""


@dataclass(frozen=True)
class Crowd:
    """Who rates in a format.

    The spreads are the standard deviations of the logarithm of a user's activity and of a film's popularity.
    """

    sizes: tuple[tuple[int, int, int], ...]
    """Ratings, users, films of real dumps, the smallest first; sizes between are interpolated."""
    activity_spread: float
    popularity_spread: float
    fewest: int = 1
    """Ratings of the least active user, where there are ratings enough."""
    one_sitting: float = 0.0
    """The share of users who give all their ratings on the day they join."""
    repeats: float = 0.0
    """The share of ratings that repeat a pair of user and film."""
    every_film_rated: bool = False

    def users(self, ratings: int) -> int:
        """How many by default give so many ratings."""
        return self._interpolated(ratings, column=1)

    def movies(self, ratings: int) -> int:
        return self._interpolated(ratings, column=2)

    def _interpolated(self, ratings: int, *, column: int) -> int:
        steps = np.log([size[0] for size in self.sizes])
        by_size = np.interp(np.log(ratings), steps, np.log([size[column] for size in self.sizes]))
        return min(round(float(np.exp(by_size))), max(ratings // 2, 10))


CROWDS: Mapping[Format, Crowd] = {
    "netflix": Crowd(
        ((1_000, 100, 50), (200_000, 2_500, 600), (22_000_000, 465_000, 4_500), (100_480_507, 480_189, 17_770)),
        activity_spread=1.2,
        popularity_spread=1.5,
        every_film_rated=True,
    ),
    "movielens": Crowd(
        ((1_000, 20, 300), (100_836, 610, 9_742), (1_000_209, 6_040, 12_000), (20_000_263, 138_493, MOST_MOVIES)),
        activity_spread=1.25,
        popularity_spread=2.1,
        fewest=20,
        one_sitting=0.65,
    ),
    "kmrd": Crowd(
        ((1_000, 370, 50), (140_710, 52_028, 999), (4_941_301, 86_457, MOST_MOVIES)),
        activity_spread=2.0,
        popularity_spread=1.7,
        one_sitting=0.15,
        repeats=0.045,
    ),
}


def sizes(crowd: Crowd, ratings: int, *, users: int | None = None, movies: int | None = None) -> tuple[int, int]:
    """Users and films for so many ratings: as given, else in the proportions of the real dumps.

    Raises
    ------
    ConfigurationError : a number is out of range, or the ratings do not fit the users and films
    """
    require("ratings", ratings, low=100, high=1_000_000_000)
    n_users = crowd.users(ratings) if users is None else users
    n_movies = crowd.movies(ratings) if movies is None else movies
    require("users", n_users, low=10, high=1_000_000)
    require("movies", n_movies, low=len(GENRES), high=MOST_MOVIES)
    if crowd.every_film_rated:
        fewest, most = n_movies, n_movies * int(MOST_RATERS * n_users)
    else:
        fewest, most = n_users, n_users * int(MOST_RATERS * n_movies)
    if not fewest <= ratings <= most:
        raise ConfigurationError(
            f"ratings = {ratings:,}: {n_users:,} users and {n_movies:,} movies have {fewest:,} to {most:,} ratings"
        )
    return n_users, n_movies


def require(name: str, value: int, *, low: int, high: int, why: str = "") -> None:
    if not low <= value <= high:
        raise ConfigurationError(f"{name} = {value:,}: must be from {low:,} to {high:,}{why}")
