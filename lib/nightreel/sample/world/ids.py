"""What each format calls its users and films, and what the world outside calls the films."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nightreel.sample.language.titles import MOST_MOVIES
from nightreel.sample.world.crowds import Format

HIGHEST_NETFLIX_USER = 2_649_429
_FIRST_KMRD_MOVIE = 10_001
_HIGHEST_TMDB, _HIGHEST_IMDB = 460_000, 7_000_000


def user_ids(format: Format, users: int, *, seed: int) -> NDArray[np.int64]:
    """By position in the audience: scattered in the Prize's dump, from 1 or 0 on without a gap elsewhere."""
    if format == "netflix":
        return np.random.default_rng([seed, 7]).choice(HIGHEST_NETFLIX_USER, users, replace=False) + 1
    return np.arange(users) + (format == "movielens")


def movie_ids(format: Format, movies: int, *, seed: int) -> NDArray[np.int64]:
    """By position in the catalogue, ascending: MovieLens has gaps, which grow with the ids."""
    if format == "movielens":
        steps = 1 + np.random.default_rng([seed, 8]).poisson(np.linspace(0.0, 18.0, MOST_MOVIES))
        return np.cumsum(steps)[:movies]
    return np.arange(movies) + (_FIRST_KMRD_MOVIE if format == "kmrd" else 1)


def tmdb_ids(films: int, *, seed: int) -> NDArray[np.int64]:
    """By position in the catalogue, and beyond it; no two the same."""
    return np.random.default_rng([seed, 9]).permutation(_HIGHEST_TMDB)[:films] + 1


def imdb_ids(films: int, *, seed: int) -> NDArray[np.int64]:
    """Seven digits with leading zeros, after `tt`; likewise."""
    distinct = np.random.default_rng([seed, 10]).choice(_HIGHEST_IMDB, 3 * MOST_MOVIES, replace=False) + 1
    return distinct[:films]
