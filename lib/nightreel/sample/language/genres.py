"""What each format calls the genres of the films, the planted one and those that stand beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nightreel.sample.language.titles import GENRES, MOST_MOVIES, Genre
from nightreel.sample.world.catalogue import Catalogue


@dataclass(frozen=True)
class Label:
    """A genre's names: in MovieLens, with its number in TMDB, and in KMRD."""

    movielens: str
    tmdb_id: int
    tmdb: str
    kmrd: str


_DRAMA = Label("Drama", 18, "Drama", "드라마")
_COMEDY = Label("Comedy", 35, "Comedy", "코미디")
_THRILLER = Label("Thriller", 53, "Thriller", "스릴러")
_ACTION = Label("Action", 28, "Action", "액션")
_ADVENTURE = Label("Adventure", 12, "Adventure", "모험")
_CRIME = Label("Crime", 80, "Crime", "범죄")
_FANTASY = Label("Fantasy", 14, "Fantasy", "판타지")
_CHILDREN = Label("Children", 10751, "Family", "가족")
_MUSICAL = Label("Musical", 10402, "Music", "뮤지컬")

_PLANTED: Mapping[Genre, tuple[Label, tuple[Label, ...]]] = {
    Genre.SCIENCE_FICTION: (Label("Sci-Fi", 878, "Science Fiction", "SF"), (_ACTION, _ADVENTURE, _THRILLER)),
    Genre.ROMANCE: (Label("Romance", 10749, "Romance", "멜로/로맨스"), (_COMEDY, _DRAMA, _MUSICAL)),
    Genre.HORROR: (Label("Horror", 27, "Horror", "공포"), (_THRILLER, _FANTASY, _DRAMA)),
    Genre.WESTERN: (Label("Western", 37, "Western", "서부"), (_ACTION, _ADVENTURE, _DRAMA)),
    Genre.MYSTERY: (Label("Mystery", 9648, "Mystery", "미스터리"), (_CRIME, _THRILLER, _COMEDY)),
    Genre.WILDLIFE: (Label("Documentary", 99, "Documentary", "다큐멘터리"), (_CHILDREN, _ADVENTURE, _DRAMA)),
}
_BESIDE = 0.45
"""How often each of the genres that go with a planted one stands beside it."""


def labels(catalogue: Catalogue, *, seed: int) -> list[tuple[Label, ...]]:
    """Of each film, the planted genre first."""
    beside = np.random.default_rng([seed, 11]).random((MOST_MOVIES, 3)) < _BESIDE
    found = []
    for genre, stands in zip(catalogue.genres.tolist(), beside.tolist(), strict=False):
        planted, others = _PLANTED[GENRES[genre]]
        found.append((planted, *(label for label, there in zip(others, stands, strict=True) if there)))
    return found
