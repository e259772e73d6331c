"""A film's description as a row of The Movies Dataset (nested columns as Python writes them) or TMDB 5000 (JSON)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from nightreel.sample.formats.film import Film

_LANGUAGES = {"en": "English", "ko": "한국어/조선말"}


@dataclass(frozen=True)
class Table:
    """A file with a row a film: its name, its columns, and a film's fields in their order."""

    name: str
    header: str
    row: Callable[[Film], list[object]]

    @property
    def columns(self) -> list[str]:
        return self.header.split(",")


def _movies_dataset(film: Film) -> list[object]:
    series = {"id": film.tmdb_id % 9_000 + 1, "name": film.series, "poster_path": _poster(film), "backdrop_path": None}
    return [
        "False",
        repr(series) if film.series else "",
        film.budget,
        repr([{"id": label.tmdb_id, "name": label.tmdb} for label in film.genres]),
        _homepage(film),
        film.tmdb_id,
        f"tt{film.imdb_id:07d}",
        film.language,
        film.original_title,
        film.overview,
        _popularity(film),
        _poster(film),
        repr([{"name": film.company_name, "id": film.company + 1}]),
        repr([{"iso_3166_1": code, "name": name} for code, name in film.countries]),
        film.released or "",
        film.budget * 2,
        f"{film.runtime}.0",
        repr([{"iso_639_1": film.language, "name": _LANGUAGES[film.language]}]),
        "Released",
        film.tagline,
        film.title,
        "False",
        film.vote_average,
        film.votes,
    ]


def _tmdb_5000(film: Film) -> list[object]:
    return [
        film.budget,
        json.dumps([{"id": label.tmdb_id, "name": label.tmdb} for label in film.genres]),
        _homepage(film),
        film.tmdb_id,
        json.dumps(_keywords(film)),
        film.language,
        film.original_title,
        film.overview,
        _popularity(film),
        json.dumps([{"name": film.company_name, "id": film.company + 1}]),
        json.dumps([{"iso_3166_1": code, "name": name} for code, name in film.countries]),
        film.released or "",
        film.budget * 2,
        film.runtime,
        json.dumps([{"iso_639_1": film.language, "name": _LANGUAGES[film.language]}]),
        "Released",
        film.tagline,
        film.title,
        film.vote_average,
        film.votes,
    ]


MOVIES_DATASET = Table(
    "movies_metadata.csv",
    "adult,belongs_to_collection,budget,genres,homepage,id,imdb_id,original_language,original_title,overview,"
    "popularity,poster_path,production_companies,production_countries,release_date,revenue,runtime,"
    "spoken_languages,status,tagline,title,video,vote_average,vote_count",
    _movies_dataset,
)
TMDB_5000 = Table(
    "tmdb_5000_movies.csv",
    "budget,genres,homepage,id,keywords,original_language,original_title,overview,popularity,"
    "production_companies,production_countries,release_date,revenue,runtime,spoken_languages,status,tagline,"
    "title,vote_average,vote_count",
    _tmdb_5000,
)


MOVIES_DATASET_BESIDE = (
    Table("keywords.csv", "id,keywords", lambda film: [film.tmdb_id, repr(_keywords(film))]),
    Table("credits.csv", "cast,crew,id", lambda film: [repr(_cast(film)), repr(_crew(film)), film.tmdb_id]),
)
TMDB_5000_BESIDE = (
    Table(
        "tmdb_5000_credits.csv",
        "movie_id,title,cast,crew",
        lambda film: [film.tmdb_id, film.title, json.dumps(_cast(film)), json.dumps(_crew(film))],
    ),
)


def _keywords(film: Film) -> list[dict[str, object]]:
    return [{"id": _number_of(keyword), "name": keyword} for keyword in film.keywords]


def _cast(film: Film) -> list[dict[str, object]]:
    return [
        {"cast_id": order + 1, "character": f"Role {order + 1}", "id": person.id, "name": person.name, "order": order}
        for order, person in enumerate(film.cast.people)
    ]


def _crew(film: Film) -> list[dict[str, object]]:
    director = film.cast.director
    return [{"department": "Directing", "id": director.id, "job": "Director", "name": director.name}]


def _homepage(film: Film) -> str:
    return f"http://films.example/{film.tmdb_id}" if film.tmdb_id % 12 == 0 else ""


def _poster(film: Film) -> str:
    return f"/{film.imdb_id * 2_654_435_761 % 2**64:016x}.jpg"


def _popularity(film: Film) -> str:
    return f"{0.3 * film.votes**0.6:.6f}"


def _number_of(keyword: str) -> int:
    """The same for the same keyword."""
    return int.from_bytes(keyword.encode()) % 99_991
