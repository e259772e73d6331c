"""Which films users pick: some at random, the likelier the more popular and the more to their taste, none twice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nightreel.sample.language.titles import GENRES
from nightreel.sample.world.opinions import Opinions, Rng
from nightreel.sample.world.period import DAYS

_AVID = 16
"""Users who want more than one of so many films that are there are served one at a time: those they have would come up
too often."""
_TOO_LATE = 1e-9
"""How likely a film that opens later is all the same, for those who want more films than there are."""

Pairs = NDArray[np.int64]
"""A user, counted from the first of those asked about, times the number of films, plus a film."""


@dataclass(frozen=True)
class Shelf:
    """The films genre by genre. A pick is first one of a genre, then of a film in it."""

    opinions: Opinions
    popularity: NDArray[np.float64]
    """Of each film, in the catalogue's order."""
    films: NDArray[np.int64]
    """In the order of the shelf."""
    reach: NDArray[np.float64]
    """On the shelf, running sums of the films' shares in their genre, from g to g + 1 in genre g."""
    leaving: NDArray[np.float32]
    """The last day of each user: films that open later are not picked."""
    inclination: NDArray[np.float32]
    """Running sums of the shares of their picks that users give to the genres, shape (genres, users)."""

    @classmethod
    def filled(cls, opinions: Opinions, popularity: NDArray[np.float64]) -> Shelf:
        genres, audience = opinions.catalogue.genres, opinions.audience
        films = np.argsort(genres, kind="stable")
        mass = np.bincount(genres, popularity, len(GENRES))
        last = np.cumsum(np.bincount(genres, minlength=len(GENRES))) - 1
        on_shelf = genres[films]
        reach = (np.cumsum(popularity[films]) - (np.cumsum(mass) - mass)[on_shelf]) / mass[on_shelf] + on_shelf
        reach[last] = np.arange(1.0, len(GENRES) + 1)
        leaving = np.where(opinions.once, audience.joined, np.float32(DAYS))
        inclination = np.cumsum(mass[:, np.newaxis] * audience.picks(), axis=0)
        return cls(opinions, popularity, films, reach, leaving, (inclination / inclination[-1]).astype(np.float32))

    def pick(self, users: range, wanted: NDArray[np.int64], rng: Rng) -> Pairs:
        """For each user as many films as wanted, in ascending order."""
        there = np.searchsorted(np.sort(self.opinions.catalogue.opens), self.leaving[users.start : users.stop], "right")
        avid = np.flatnonzero(wanted > there // _AVID)
        few = wanted.copy()
        few[avid] = 0
        pairs = [self._for_many(users, few, rng)]
        pairs += [self._for_one(users, int(user), int(wanted[user]), rng) for user in avid]
        return np.sort(np.concatenate(pairs))

    def _for_many(self, users: range, wanted: NDArray[np.int64], rng: Rng) -> Pairs:
        done: list[Pairs] = []
        found = np.empty(0, dtype=np.int64)
        lacking = wanted
        while lacking.any():
            drawn = self._drawn(users, np.where(lacking > 0, lacking + lacking // 4 + 2, 0), rng)
            found = _first_distinct(np.concatenate([found, drawn]), wanted, films=self.films.size)
            owners = found // self.films.size
            lacking = np.where(lacking > 0, wanted - np.bincount(owners, minlength=wanted.size), 0)
            waiting = lacking[owners] > 0
            done.append(found[~waiting])
            found = found[waiting]
        return np.concatenate(done) if done else found

    def _drawn(self, users: range, counts: NDArray[np.int64], rng: Rng) -> Pairs:
        drawers = np.repeat(np.arange(counts.size), counts)
        shares = self.inclination[:-1, users.start : users.stop]
        genres = (rng.random(drawers.size, dtype=np.float32) >= shares[:, drawers]).sum(axis=0)
        films = self.films[np.searchsorted(self.reach, genres + rng.random(drawers.size), side="right")]
        there = self.opinions.catalogue.opens[films] <= self.leaving[drawers + users.start]
        pairs: Pairs = (drawers * self.films.size + films)[there]
        return pairs

    def _for_one(self, users: range, user: int, wanted: int, rng: Rng) -> Pairs:
        """The films whose exponential clocks, each as fast as the film is likely, ring first."""
        catalogue = self.opinions.catalogue
        likely = self.popularity * self.opinions.audience.picks(users.start + user)[catalogue.genres]
        likely[catalogue.opens > self.leaving[users.start + user]] *= _TOO_LATE
        rings = rng.standard_exponential(likely.size) / likely
        return user * self.films.size + np.argpartition(rings, wanted - 1)[:wanted]


def _first_distinct(pairs: Pairs, wanted: NDArray[np.int64], *, films: int) -> Pairs:
    """Of each user the first pairs as they came, none twice, as many as wanted."""
    _, firsts = np.unique(pairs, return_index=True)
    pairs = pairs[np.sort(firsts)]
    pairs = pairs[np.argsort(pairs // films, kind="stable")]
    owners = pairs // films
    return pairs[places(owners, wanted.size) < wanted[owners]]


def places(owners: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Each row's place among its owner's, from 0; owners ascend and are below n."""
    sizes = np.bincount(owners, minlength=n)
    return np.arange(owners.size) - (np.cumsum(sizes) - sizes)[owners]
