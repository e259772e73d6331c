"""What a description of a film says, in no format yet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np

from nightreel.sample.language.choice import one_of
from nightreel.sample.language.genres import Label, labels
from nightreel.sample.language.korean import korean_title
from nightreel.sample.language.people import Cast, casts
from nightreel.sample.language.plots import pick_tags, plot
from nightreel.sample.language.titles import genre_of
from nightreel.sample.world.catalogue import Catalogue
from nightreel.sample.world.ids import imdb_ids, tmdb_ids
from nightreel.sample.world.opinions import Rng
from nightreel.sample.world.period import LAST_DAY

_VOTES, _VOTES_SPREAD = 60, 1.5
_REMADE, _AMBIGUOUS = 40, 200
"""Of so many films, one has a namesake of quite another year, or of the same one."""
_OTHER_YEARS = (5, 30)
_NO_PLOT, _IN_KOREAN, _IN_SERIES, _HAS_TAGLINE, _HAS_BUDGET = 0.01, 0.02, 0.15, 0.75, 0.1
_COMPANIES = ("Meridian Pictures", "Blackthorn & Sons", "L'Étoile Films", "Studio 'Halcyon'", "Pallas Entertainment")
_COUNTRIES = (("US", "United States of America"), ("KR", "South Korea"), ("FR", "France"), ("GB", "United Kingdom"))
_TAGLINES = (
    "You won't believe your eyes.",
    'Some call it "fate".',
    "It's back, and it isn't alone.",
    "This summer, run.",
)


@dataclass(frozen=True)
class Film:
    tmdb_id: int
    imdb_id: int
    title: str
    original_title: str
    language: str
    released: date | None
    overview: str
    tagline: str
    genres: tuple[Label, ...]
    keywords: tuple[str, ...]
    company: int
    """A place in _COMPANIES."""
    countries: tuple[tuple[str, str], ...]
    """ISO 3166-1 codes and names."""
    series: str
    budget: int
    runtime: int
    votes: int
    vote_average: float
    cast: Cast

    @property
    def company_name(self) -> str:
        return _COMPANIES[self.company]


def films(catalogue: Catalogue, *, seed: int) -> Iterator[Film]:
    """The catalogue's in order, each before its namesake if it has one."""
    n = len(catalogue.titles)
    tmdb, imdb = tmdb_ids(2 * n, seed=seed).tolist(), imdb_ids(2 * n, seed=seed).tolist()
    genres, roles = labels(catalogue, seed=seed), casts(catalogue, seed=seed)
    votes = np.rint(_VOTES * catalogue.popularity(_VOTES_SPREAD)).astype(np.int64).tolist()
    # Drawn film by film: what is said of the first ones does not depend on how many there are.
    rng = np.random.default_rng([seed, 15])
    for place, title in enumerate(catalogue.titles):
        film = _described(title, int(catalogue.years[place]), genres[place], roles[place], rng)
        average = round(min(max(2 * float(catalogue.quality[place]), 0.5), 10.0), 1)
        film = replace(film, tmdb_id=tmdb[place], imdb_id=imdb[place], votes=votes[place], vote_average=average)
        yield film
        if film.released and (years := _years_to_namesake(place, film.released, rng)) is not None:
            yield _namesake(film, film.released.year + years, tmdb[n + place], imdb[n + place], rng)


def _described(title: str, year: int, genres: tuple[Label, ...], cast: Cast, rng: Rng) -> Film:
    korean = rng.random() < _IN_KOREAN
    countries = (_COUNTRIES[1],) if korean else (_COUNTRIES[0], *_COUNTRIES[2:])[: int(rng.integers(1, 3))]
    return Film(
        tmdb_id=0,
        imdb_id=0,
        title=title,
        original_title=korean_title(title) if korean else title,
        language="ko" if korean else "en",
        released=_day_of(year, rng) if year else None,
        overview=plot(title, rng) if rng.random() >= _NO_PLOT else "",
        tagline=one_of(_TAGLINES, rng) if rng.random() < _HAS_TAGLINE else "",
        genres=genres,
        keywords=pick_tags(genre_of(title), int(rng.integers(2, 8)), rng),
        company=int(rng.integers(len(_COMPANIES))),
        countries=countries,
        series=f"{title} Collection" if rng.random() < _IN_SERIES else "",
        budget=int(rng.integers(1, 150)) * 1_000_000 if rng.random() < _HAS_BUDGET else 0,
        runtime=int(rng.integers(75, 160)),
        votes=0,
        vote_average=0.0,
        cast=cast,
    )


def _years_to_namesake(place: int, released: date, rng: Rng) -> int | None:
    if place % _AMBIGUOUS == _AMBIGUOUS - 1:
        return 0
    if place % _REMADE == _REMADE - 1:
        away = int(rng.integers(*_OTHER_YEARS))
        return away if released.year + away <= LAST_DAY.year else -away
    return None


def _namesake(film: Film, year: int, tmdb_id: int, imdb_id: int, rng: Rng) -> Film:
    return replace(
        film,
        tmdb_id=tmdb_id,
        imdb_id=imdb_id,
        released=_day_of(year, rng),
        overview=plot(film.title, rng),
        votes=film.votes // 2,
    )


def _day_of(year: int, rng: Rng) -> date:
    return date(year, 1, 1) + timedelta(days=int(rng.integers(365)))
