"""Who rates: users with planted tastes, all of them functions of a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nightreel.sample.language.titles import GENRES, Genre
from nightreel.sample.world.crowds import CROWDS, Format
from nightreel.sample.world.ids import user_ids
from nightreel.sample.world.period import DAYS

_SECOND_TASTE = 0.4
_LIKES, _DISLIKES = 0.55, -0.65
_TASTE_SPREAD, _LENIENCY_SPREAD = 0.25, 0.3
_DRIFT_SPREAD = 0.5
FAN_BOOST = 4.0
"""How many times as often a user picks a film of a genre they like."""


@dataclass(frozen=True)
class Audience:
    """The users, in no order. Arrays have the shape (users,) or (genres, users)."""

    likes: NDArray[np.bool_]
    opinion: NDArray[np.float32]
    """Stars a user adds to a film of a genre in the middle of the six years: their leniency and their taste."""
    drift: NDArray[np.float32]
    """Stars by which that opinion grows from the first day to the last, in a straight line."""
    energy: NDArray[np.float64]
    """Standard normal: how active a user is."""
    joined: NDArray[np.float32]
    """The user's first day."""
    patience: NDArray[np.float64]
    """From 0 to 1: how far a user is from giving all their ratings at once."""

    @classmethod
    def planted(cls, *, users: int, seed: int) -> Audience:
        rng = np.random.default_rng([seed, 2])
        likes = _likes(users, rng)
        leniency = rng.normal(0.0, _LENIENCY_SPREAD, users)
        taste = np.where(likes, _LIKES, _DISLIKES) + rng.normal(0.0, _TASTE_SPREAD, likes.shape)
        return cls(
            likes=likes,
            opinion=(taste + leniency).astype(np.float32),
            drift=rng.normal(0.0, _DRIFT_SPREAD, likes.shape).astype(np.float32),
            energy=rng.normal(0.0, 1.0, users),
            joined=(0.9 * DAYS * np.sqrt(rng.random(users))).astype(np.float32),
            patience=rng.random(users),
        )

    def activity(self, spread: float) -> NDArray[np.float64]:
        """How much each rates, in proportion; `spread` is the standard deviation of its logarithm."""
        activity: NDArray[np.float64] = np.exp(spread * self.energy)
        return activity

    def picks(self, users: slice | int = slice(None)) -> NDArray[np.float64]:
        """How many times as often as by chance users pick a film of each genre, shape (genres, users) or (genres,)."""
        return np.where(self.likes[:, users], FAN_BOOST, 1.0)


def planted_tastes(
    ratings: int, *, seed: int, users: int | None = None, format: Format = "netflix"
) -> dict[int, frozenset[Genre]]:
    """The one or two genres that each user of a generated dump likes, by user id: a function of the arguments."""
    n_users = CROWDS[format].users(ratings) if users is None else users
    likes = Audience.planted(users=n_users, seed=seed).likes
    return {
        int(user): frozenset(genre for genre, liked in zip(GENRES, row, strict=True) if liked)
        for user, row in zip(user_ids(format, n_users, seed=seed), likes.T, strict=True)
    }


def _likes(users: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    likes = np.zeros((len(GENRES), users), dtype=np.bool_)
    everyone = np.arange(users)
    first = rng.integers(0, len(GENRES), users)
    other = (first + rng.integers(1, len(GENRES), users)) % len(GENRES)
    likes[first, everyone] = True
    likes[other, everyone] = rng.random(users) < _SECOND_TASTE
    return likes
