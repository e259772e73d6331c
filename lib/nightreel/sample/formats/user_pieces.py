"""What formats share that hold ratings by user: who rates how often, cut into pieces of neighbouring users."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nightreel.sample import chunks, faults
from nightreel.sample.request import Request
from nightreel.sample.world.allot import allot
from nightreel.sample.world.by_user import ByUser, UserRows
from nightreel.sample.world.catalogue import Catalogue
from nightreel.sample.world.crowds import CROWDS, MOST_RATERS, require, sizes
from nightreel.sample.world.opinions import Opinions, Rng


@dataclass(frozen=True)
class UserPieces:
    request: Request
    rows: ByUser
    ranges: list[range]
    """The users of each piece."""
    broken: Mapping[int, list[str]]
    """The broken lines of the pieces that have some, by kind."""

    @classmethod
    def of(cls, request: Request) -> UserPieces:
        crowd, rng = CROWDS[request.format], np.random.default_rng([request.seed, 4])
        users, movies = sizes(crowd, request.ratings, users=request.users, movies=request.movies)
        opinions = Opinions.planted(users=users, movies=movies, crowd=crowd, seed=request.seed)
        ratings = allot(
            opinions.audience.activity(crowd.activity_spread),
            total=request.ratings,
            low=max(1, min(crowd.fewest, request.ratings // (2 * users))),
            high=int(MOST_RATERS * movies),
        )
        require("duplicates", request.duplicates, low=0, high=int((ratings // 2).sum()), why=", half of each user's")
        rows = ByUser.planted(opinions, ratings, crowd=crowd, repeats=request.duplicates, rng=rng)
        ranges = chunks.cut(ratings)
        return cls(request, rows, ranges, _by_piece(faults.kinds(request.broken_lines), ratings, ranges, rng))

    def rng(self, number: int) -> Rng:
        return np.random.default_rng([self.request.seed, 5, number])

    def of_users(self, number: int, rng: Rng) -> UserRows:
        return self.rows.rows(self.ranges[number], rng)

    def spoilt(self, number: int, text: bytes, rng: Rng) -> bytes:
        broken = self.broken.get(number)
        return faults.spoil(text, broken, rng, format=self.request.format, after=0) if broken else text

    @property
    def count(self) -> int:
        return len(self.ranges)

    @property
    def users(self) -> int:
        return int(self.rows.ratings.size)

    @property
    def catalogue(self) -> Catalogue:
        return self.rows.opinions.catalogue


def _by_piece(kinds: list[str], ratings: NDArray[np.int64], ranges: list[range], rng: Rng) -> Mapping[int, list[str]]:
    """Which broken lines each piece gets: the more ratings, the more."""
    sizes = np.array([ratings[users.start : users.stop].sum() for users in ranges])
    pieces = rng.choice(len(ranges), len(kinds), p=sizes / sizes.sum()).tolist()
    return {piece: [kind for at, kind in zip(pieces, kinds, strict=True) if at == piece] for piece in set(pieces)}
