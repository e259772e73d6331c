"""Who rates which film, when and how much they like it: film by film, each with its exact number of ratings."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nightreel.sample.world.crowds import Crowd
from nightreel.sample.world.opinions import Opinions, Rng
from nightreel.sample.world.period import DAYS

_HELD_OUT_SHARE = 0.014
"""How many of the ratings probe.txt names, and how many pairs besides qualifying.txt asks for: as in the Prize."""
_LAST_YEAR = DAYS - 365
_REPEATED_WITHIN = 60


@dataclass(frozen=True)
class MovieRows:
    """One film's rows, each an entry of `users`, `scores` and `days`; and the pairs that qualifying.txt asks for.

    Users are positions in the audience, days count from FIRST_DAY.
    """

    movie: int
    """Position in the catalogue."""
    users: NDArray[np.int64]
    scores: NDArray[np.float32]
    days: NDArray[np.int32]
    probed: NDArray[np.int64]
    """The rows that probe.txt names, all rated in the last year."""
    asked: NDArray[np.int64]
    asked_days: NDArray[np.int32]


@dataclass(frozen=True)
class ByMovie:
    """A film's raters are drawn one by one, none twice, the likelier the more active they are and the more they like
    its genre."""

    opinions: Opinions
    ratings: NDArray[np.int64]
    """Of each film."""
    twice: NDArray[np.bool_]
    """Whether one of a film's users has rated it twice, the later rating first."""
    reach: NDArray[np.float64]
    """Running sums of the shares of a genre's ratings that each user gives, shape (genres, users), the last one 1."""

    @classmethod
    def planted(
        cls, opinions: Opinions, ratings: NDArray[np.int64], *, crowd: Crowd, repeats: int, rng: Rng
    ) -> ByMovie:
        twice = np.zeros(ratings.size, dtype=np.bool_)
        twice[rng.permutation(np.flatnonzero(ratings > 1))[:repeats]] = True
        audience = opinions.audience
        reach = np.cumsum(audience.activity(crowd.activity_spread) * audience.picks(), axis=1)
        return cls(opinions, ratings, twice, reach / reach[:, -1:])

    def rows(self, movie: int, rng: Rng) -> MovieRows:
        twice = bool(self.twice[movie])
        rows = self._rows(movie, int(self.ratings[movie]) - twice, rng)
        return _with_second_thought(rows, rng) if twice else rows

    def _rows(self, movie: int, count: int, rng: Rng) -> MovieRows:
        opinions, everyone = self.opinions, self.reach.shape[1]
        unrated = int(rng.binomial(count, _HELD_OUT_SHARE))
        reach = self.reach[opinions.catalogue.genres[movie]]
        drawn = _draw_distinct(reach, min(count + unrated, everyone), rng)
        users, asked = drawn[:count], drawn[count:]
        days = opinions.days(users, movie, rng)
        late = np.flatnonzero(days >= _LAST_YEAR)
        return MovieRows(
            movie=movie,
            users=users,
            scores=opinions.scores(users, movie, days, rng),
            days=days,
            probed=late[: int(rng.binomial(count, _HELD_OUT_SHARE))],
            asked=asked,
            asked_days=opinions.days(asked, movie, rng, from_day=_LAST_YEAR),
        )


def _draw_distinct(reach: NDArray[np.float64], count: int, rng: Rng) -> NDArray[np.int64]:
    """Users in random order, each the likelier the more of the running sums is theirs."""
    found = np.empty(0, dtype=np.int64)
    while (lacking := count - found.size) > 0:
        # Sorted keys make the search run through the sums once, which the processor's cache rewards fourfold.
        keys = np.sort(rng.random(lacking + lacking // 4 + 16))
        merged = np.sort(np.concatenate([found, np.searchsorted(reach, keys, side="right")]), kind="stable")
        found = merged[np.flatnonzero(np.diff(merged, prepend=-1))]
    return rng.permutation(found)[:count]


def _with_second_thought(rows: MovieRows, rng: Rng) -> MovieRows:
    days = rows.days.copy()
    days[0] = min(days[0], DAYS - 2)
    again = min(int(days[0]) + int(rng.integers(1, _REPEATED_WITHIN)), DAYS - 1)
    changed = rows.scores[:1] + np.where(rows.scores[:1] < 3, np.float32(1.5), np.float32(-1.5))
    return replace(
        rows,
        users=np.concatenate([rows.users[:1], rows.users]),
        scores=np.concatenate([changed, rows.scores]),
        days=np.concatenate([np.array([again], dtype=np.int32), days]),
        probed=rows.probed[rows.probed > 0] + 1,
    )
