"""Who rates which movie, when and with how many stars: one block of rows a movie."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nightreel.sample.population import DAYS, Audience, Catalogue

_NOISE = 0.8
_HELD_OUT_SHARE = 0.014
"""How many of the ratings probe.txt names, and how many pairs besides qualifying.txt asks for: as in the Prize."""
_LAST_YEAR = DAYS - 365
_DUPLICATE_WITHIN = 60

Rng = np.random.Generator


@dataclass(frozen=True)
class Block:
    """One movie's rows, each an entry of `users`, `stars` and `days`; and the pairs that qualifying.txt asks for.

    Users are positions in the audience, days count from FIRST_DAY.
    """

    movie: int
    """Position in the catalogue."""
    users: NDArray[np.int64]
    stars: NDArray[np.int8]
    days: NDArray[np.int32]
    probed: NDArray[np.int64]
    """The rows that probe.txt names, all rated in the last year."""
    asked: NDArray[np.int64]
    asked_days: NDArray[np.int32]


def blocks(catalogue: Catalogue, audience: Audience, *, duplicates: int, rng: Rng) -> Iterator[Block]:
    """The movies in order; `duplicates` of them have one of their users twice, the later rating first."""
    twice = np.zeros(len(catalogue.titles), dtype=np.bool_)
    twice[rng.permutation(np.flatnonzero(catalogue.ratings > 1))[:duplicates]] = True
    for movie, count in enumerate(catalogue.ratings):
        block = _block(catalogue, audience, movie=movie, count=int(count) - int(twice[movie]), rng=rng)
        yield _with_second_thought(block, rng) if twice[movie] else block


def _block(catalogue: Catalogue, audience: Audience, *, movie: int, count: int, rng: Rng) -> Block:
    genre = int(catalogue.genres[movie])
    unrated = int(rng.binomial(count, _HELD_OUT_SHARE))
    drawn = _draw_distinct(audience.reach[genre], min(count + unrated, audience.ids.size), rng)
    users, asked = drawn[:count], drawn[count:]
    score = catalogue.quality[movie] + audience.opinion[genre][users]
    score += _NOISE * rng.standard_normal(count, dtype=np.float32)
    days = _days(audience.joined[users], catalogue.opens[movie], rng)
    late = np.flatnonzero(days >= _LAST_YEAR)
    opens_late = max(float(catalogue.opens[movie]), _LAST_YEAR)
    return Block(
        movie=movie,
        users=users,
        stars=np.clip(np.rint(score), 1, 5).astype(np.int8),
        days=days,
        probed=late[: int(rng.binomial(count, _HELD_OUT_SHARE))],
        asked=asked,
        asked_days=_days(audience.joined[asked], opens_late, rng),
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


def _days(joined: NDArray[np.float32], opens: float, rng: Rng) -> NDArray[np.int32]:
    """Days from when both user and movie are there to the last; users rate most soon after joining."""
    first = np.maximum(joined, np.float32(opens))
    share = rng.random(joined.size, dtype=np.float32) ** np.float32(1.3)
    days: NDArray[np.float32] = np.minimum(first + share * (DAYS - first), DAYS - 1)
    return days.astype(np.int32)


def _with_second_thought(block: Block, rng: Rng) -> Block:
    days = block.days.copy()
    days[0] = min(days[0], DAYS - 2)
    again = min(int(days[0]) + int(rng.integers(1, _DUPLICATE_WITHIN)), DAYS - 1)
    return replace(
        block,
        users=np.concatenate([block.users[:1], block.users]),
        stars=np.concatenate([block.stars[:1] % 5 + 1, block.stars]),
        days=np.concatenate([np.array([again], dtype=np.int32), days]),
        probed=block.probed[block.probed > 0] + 1,
    )
