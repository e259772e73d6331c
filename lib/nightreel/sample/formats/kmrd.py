"""KMRD: Korean ratings from 1 to 10, and the films' titles, genres, countries and casts in files of their own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nightreel.sample import chunks, faults, lines
from nightreel.sample.formats.user_pieces import UserPieces
from nightreel.sample.language.choice import one_of
from nightreel.sample.language.genres import labels
from nightreel.sample.language.korean import korean_title
from nightreel.sample.language.people import casts
from nightreel.sample.request import Dump, Request
from nightreel.sample.world.catalogue import Catalogue
from nightreel.sample.world.ids import movie_ids, user_ids
from nightreel.sample.world.opinions import Rng
from nightreel.sample.world.period import FIRST_SECOND, LAST_DAY, LAST_SECOND

_RATES, _BESIDE = "rates.csv", ("movies.txt", "genres.csv", "castings.csv", "countries.csv", "peoples.txt")
_MIDDLE, _ENTHUSIASM, _ENRAGED = 3.75, 3.0, 0.75
_HIGH = 10.2
"""What a film of middling appeal gets, before the scale ends at 10."""
_LOW = 4
"""Of those whose rate would be this or lower, most give 1."""
_GRADES = ("전체 관람가", "12세 관람가", "15세 관람가", "청소년 관람불가", "PG", "R", "NR", "")
_COUNTRIES = ("미국", "한국", "영국", "프랑스", "이탈리아", "독일", "일본", "홍콩")
_LATEST_AFTER, _NEVER_SHOWN = 5, 0.2
_RATES_TEXT = lines.each(np.arange(11), end=",")
_SECONDS = lines.Seconds(FIRST_SECOND, LAST_SECOND, end="\n")


@dataclass(frozen=True)
class KmrdPlan:
    """Called with a number, it makes that piece: the text of neighbouring users."""

    pieces: UserPieces
    users_text: lines.Text
    movies: NDArray[np.int64]
    movies_text: lines.Text

    @classmethod
    def of(cls, request: Request) -> KmrdPlan:
        request.laid_out()
        pieces = UserPieces.of(request)
        movies = movie_ids("kmrd", len(pieces.catalogue.titles), seed=request.seed)
        users = user_ids("kmrd", pieces.users, seed=request.seed)
        return cls(pieces, lines.each(users, end=","), movies, lines.each(movies, end=","))

    def __call__(self, number: int) -> bytes:
        rng = self.pieces.rng(number)
        rows = self.pieces.of_users(number, rng)
        text = lines.joined(
            self.users_text[rows.users],
            self.movies_text[rows.movies],
            _RATES_TEXT[_rates(rows.scores, rng)],
            *_SECONDS.text(rows.times // 60 * 60),
        )
        return self.pieces.spoilt(number, text, rng)

    def write(self, folder: Path, *, processes: int) -> Dump:
        with (folder / _RATES).open("wb") as rates:
            rates.write(b"user,movie,rate,time\n")
            for piece in chunks.in_order(self, self.pieces.count, processes=processes):
                rates.write(piece)
        self._describe(folder)
        request = self.pieces.request
        return Dump(
            format="kmrd",
            folder=folder,
            names=(Path(_RATES),),
            names_beside=tuple(Path(name) for name in _BESIDE),
            ratings=request.ratings,
            duplicates=request.duplicates,
            broken=faults.counted(faults.kinds(request.broken_lines)),
            users=self.pieces.users,
            movies=self.movies.size,
        )

    def _describe(self, folder: Path) -> None:
        catalogue, seed = self.pieces.catalogue, self.pieces.request.seed
        ids = self.movies.tolist()
        roles = casts(catalogue, seed=seed)
        listed = zip(ids, labels(catalogue, seed=seed), strict=True)
        genres = ((movie, label.kmrd) for movie, some in listed for label in some)
        castings = (
            (movie, person.id, order, int(order <= cast.leading))
            for movie, cast in zip(ids, roles, strict=True)
            for order, person in enumerate(cast.people, start=1)
        )
        rng = np.random.default_rng([seed, 14])
        _table(folder / "movies.txt", "movie\ttitle\ttitle_eng\tyear\tgrade", _movies(ids, catalogue, rng))
        _table(folder / "genres.csv", "movie,genre", genres)
        _table(folder / "castings.csv", "movie,people,order,leading", castings)
        _table(folder / "countries.csv", "movie,country", _countries(ids, rng))
        everybody = sorted({(person.id, person.korean, person.original) for cast in roles for person in cast.people})
        _table(folder / "peoples.txt", "people\tkorean\toriginal", everybody)


def _rates(scores: NDArray[np.float32], rng: Rng) -> NDArray[np.int64]:
    """From 1 to 10. Two thirds are tens; who dislikes a film tends to give it the lowest rate there is."""
    rates: NDArray[np.int64] = np.clip(np.rint(_HIGH + _ENTHUSIASM * (scores - _MIDDLE)), 1, 10).astype(np.int64)
    rates[(rates <= _LOW) & (rng.random(rates.size) < _ENRAGED)] = 1
    return rates


def _movies(ids: list[int], catalogue: Catalogue, rng: Rng) -> Iterable[tuple[object, ...]]:
    """Each film with the year it was shown in Korea, if it was; its own year stands with the English title."""
    for movie, title, year in zip(ids, catalogue.titles, catalogue.years.tolist(), strict=True):
        shown = min(year + int(rng.integers(_LATEST_AFTER)), LAST_DAY.year) if year else LAST_DAY.year
        grade = one_of(_GRADES, rng)
        english = f"{title} , {year}" if year else title
        yield movie, korean_title(title), english, "" if rng.random() < _NEVER_SHOWN else shown, grade


def _countries(ids: list[int], rng: Rng) -> Iterable[tuple[object, ...]]:
    """One or two of each film, the first of the countries most often."""
    for movie in ids:
        for place in dict.fromkeys((rng.random(int(rng.integers(1, 3))) ** 2 * len(_COUNTRIES)).astype(int).tolist()):
            yield movie, _COUNTRIES[place]


def _table(path: Path, header: str, rows: Iterable[tuple[object, ...]]) -> None:
    """Nothing is quoted: no value holds what separates the header's names."""
    separator = "\t" if "\t" in header else ","
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(f"{header}\n")
        file.writelines(separator.join(map(str, row)) + "\n" for row in rows)
