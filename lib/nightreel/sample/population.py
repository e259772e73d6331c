"""Who rates and what is rated: tastes, quality and popularity, all of them functions of a seed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from nightreel.errors import ConfigurationError
from nightreel.sample.titles import GENRES, MOST_MOVIES, Genre, titles_of

FIRST_DAY = date(1999, 11, 11)
LAST_DAY = date(2005, 12, 31)
DAYS = (LAST_DAY - FIRST_DAY).days + 1

HIGHEST_USER_ID = 2_649_429
MOST_RATERS = 0.6
"""Of all users, the share that the most popular movie may have as raters."""

_SIZES = ((1_000, 100, 50), (200_000, 2_500, 600), (22_000_000, 465_000, 4_500), (100_480_507, 480_189, 17_770))
"""Ratings, users, movies; the last two are those of the Prize's first file and of the whole of it."""

_SECOND_TASTE = 0.4
_LIKES, _DISLIKES = 0.55, -0.65
_TASTE_SPREAD, _LENIENCY_SPREAD, _QUALITY_SPREAD = 0.25, 0.3, 0.4
_MIDDLE = 3.75
_FAN_BOOST = 4.0
"""How many times as often a user picks a movie of a genre they like."""
_ACTIVITY_SPREAD, _POPULARITY_SPREAD = 1.1, 1.2


def sizes(ratings: int, *, users: int | None = None, movies: int | None = None) -> tuple[int, int]:
    """Users and movies for so many ratings: as given, else in the proportions of the real dump.

    Raises
    ------
    ConfigurationError : a number is out of range, or the ratings do not fit the users and movies
    """
    _require("ratings", ratings, low=100, high=1_000_000_000)
    steps = np.log([size[0] for size in _SIZES])
    by_default = [
        round(float(np.exp(np.interp(np.log(ratings), steps, np.log([size[column] for size in _SIZES])))))
        for column in (1, 2)
    ]
    n_users = by_default[0] if users is None else users
    n_movies = by_default[1] if movies is None else movies
    _require("users", n_users, low=10, high=1_000_000)
    _require("movies", n_movies, low=len(GENRES), high=MOST_MOVIES)
    room = n_movies * int(MOST_RATERS * n_users)
    if not n_movies <= ratings <= room:
        raise ConfigurationError(
            f"ratings = {ratings:,}: {n_users:,} users and {n_movies:,} movies have {n_movies:,} to {room:,} ratings"
        )
    return n_users, n_movies


@dataclass(frozen=True)
class Catalogue:
    """The movies, ids 1 to n in order. Arrays have the shape (n,)."""

    titles: tuple[str, ...]
    genres: NDArray[np.int8]
    """Positions in GENRES."""
    years: NDArray[np.int32]
    """0: unknown."""
    opens: NDArray[np.float32]
    """The first day, counted from FIRST_DAY, on which anyone may have rated it."""
    quality: NDArray[np.float32]
    """Stars above or below the user's own level; the middle of the scale included."""
    ratings: NDArray[np.int64]
    """How many ratings each has."""

    @classmethod
    def planted(cls, *, movies: int, ratings: int, users: int, seed: int) -> Catalogue:
        rng = np.random.default_rng([seed, 1])
        genres = rng.permutation(np.arange(movies) % len(GENRES)).astype(np.int8)
        years = 2005 - np.minimum(rng.exponential(11.0, movies).astype(np.int32), 85)
        years[rng.choice(movies, 1 + movies // 2_500, replace=False)] = 0
        quality = rng.normal(0.0, 1.0, movies)
        popularity = np.exp(_POPULARITY_SPREAD * rng.normal(0.0, 1.0, movies) + 0.5 * quality)
        return cls(
            titles=_titles(genres, rng),
            genres=genres,
            years=years,
            opens=np.array([_first_day(int(year)) for year in years], dtype=np.float32),
            quality=(_MIDDLE + _QUALITY_SPREAD * quality).astype(np.float32),
            ratings=_allot(popularity, total=ratings, most=int(MOST_RATERS * users)),
        )


@dataclass(frozen=True)
class Audience:
    """The users, in no order. Arrays have the shape (users,) or (genres, users)."""

    ids: NDArray[np.int64]
    likes: NDArray[np.bool_]
    opinion: NDArray[np.float32]
    """Stars a user adds to a movie of a genre: their leniency and their taste."""
    reach: NDArray[np.float64]
    """Running sums of the shares of a genre's ratings that each user gives, the last one 1."""
    joined: NDArray[np.float32]
    """The user's first day, counted from FIRST_DAY."""

    @classmethod
    def planted(cls, *, users: int, seed: int) -> Audience:
        rng = np.random.default_rng([seed, 2])
        ids = rng.choice(HIGHEST_USER_ID, users, replace=False) + 1
        likes = _likes(users, rng)
        leniency = rng.normal(0.0, _LENIENCY_SPREAD, users)
        taste = np.where(likes, _LIKES, _DISLIKES) + rng.normal(0.0, _TASTE_SPREAD, likes.shape)
        activity = np.exp(_ACTIVITY_SPREAD * rng.normal(0.0, 1.0, users))
        reach = np.cumsum(activity * np.where(likes, _FAN_BOOST, 1.0), axis=1)
        return cls(
            ids=ids,
            likes=likes,
            opinion=(taste + leniency).astype(np.float32),
            reach=reach / reach[:, -1:],
            joined=(0.9 * DAYS * np.sqrt(rng.random(users))).astype(np.float32),
        )


def planted_tastes(ratings: int, *, seed: int, users: int | None = None) -> dict[int, frozenset[Genre]]:
    """The one or two genres that each user of a generated dump likes, by user id: a function of the seed."""
    audience = Audience.planted(users=sizes(ratings, users=users)[0], seed=seed)
    return {
        int(user): frozenset(genre for genre, liked in zip(GENRES, row, strict=True) if liked)
        for user, row in zip(audience.ids, audience.likes.T, strict=True)
    }


def _likes(users: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    likes = np.zeros((len(GENRES), users), dtype=np.bool_)
    everyone = np.arange(users)
    first = rng.integers(0, len(GENRES), users)
    other = (first + rng.integers(1, len(GENRES), users)) % len(GENRES)
    likes[first, everyone] = True
    likes[other, everyone] = rng.random(users) < _SECOND_TASTE
    return likes


def _titles(genres: NDArray[np.int8], rng: np.random.Generator) -> tuple[str, ...]:
    shuffled = [iter(rng.permutation(titles_of(genre)).tolist()) for genre in GENRES]
    return tuple(next(shuffled[genre]) for genre in genres)


def _first_day(year: int) -> int:
    return max(0, (date(year, 1, 1) - FIRST_DAY).days) if year else 0


def _allot(weights: NDArray[np.float64], *, total: int, most: int) -> NDArray[np.int64]:
    """Whole numbers from 1 to `most`, in proportion to the weights as far as that allows, whose sum is the total."""
    low, high = 0.0, float(total) / float(weights.min())
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (low, middle) if np.clip(middle * weights, 1, most).sum() > total else (middle, high)
    shares = np.clip(low * weights, 1, most)
    counts = np.floor(shares).astype(np.int64)
    by_remainder = np.argsort(counts - shares, kind="stable")
    while (missing := total - int(counts.sum())) > 0:
        counts[by_remainder[counts[by_remainder] < most][:missing]] += 1
    return counts


def _require(name: str, value: int, *, low: int, high: int) -> None:
    if not low <= value <= high:
        raise ConfigurationError(f"{name} = {value:,}: must be from {low:,} to {high:,}")
