"""MovieLens as latest-small and 20M up to 32M are published: ratings, movies, links and tags."""

from __future__ import annotations

import csv
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nightreel.sample import chunks, faults, lines
from nightreel.sample.formats.tagging import Tagging
from nightreel.sample.formats.user_pieces import UserPieces
from nightreel.sample.language.genres import labels
from nightreel.sample.request import Dump, Layout, Request
from nightreel.sample.world.by_user import UserRows
from nightreel.sample.world.ids import imdb_ids, movie_ids, tmdb_ids, user_ids
from nightreel.sample.world.opinions import Rng
from nightreel.sample.world.period import FIRST_SECOND, LAST_SECOND

_ARCHIVE = "ml-sample"
_RATINGS, _BESIDE = "ratings.csv", ("movies.csv", "links.csv", "tags.csv")
_ARTICLES = ("The", "A")
_NO_GENRES, _NO_TMDB = 150, 200
"""Of so many films, one has no genres listed, or no number in TMDB."""
_WHOLE_STARS_ONLY = 0.35
"""The share of users who never give half a star."""
_STERNNESS = 0.2
"""By how many stars they are below those of the Prize's users."""
_HALF_STARS = lines.each(np.arange(11) / 2, end=",")
_SECONDS = lines.Seconds(FIRST_SECOND, LAST_SECOND, end="\n")


@dataclass(frozen=True)
class _Piece:
    """The text of neighbouring users."""

    ratings: bytes
    tags: bytes


@dataclass(frozen=True)
class MovieLensPlan:
    """Called with a number, it makes that piece."""

    pieces: UserPieces
    layout: Layout
    users_text: lines.Text
    movies_text: lines.Text
    tagging: Tagging

    @classmethod
    def of(cls, request: Request) -> MovieLensPlan:
        layout = request.laid_out()
        pieces = UserPieces.of(request)
        users = user_ids("movielens", pieces.users, seed=request.seed)
        movies = movie_ids("movielens", len(pieces.catalogue.titles), seed=request.seed)
        return cls(
            pieces=pieces,
            layout=layout,
            users_text=lines.each(users, end=","),
            movies_text=lines.each(movies, end=","),
            tagging=Tagging(users, movies, pieces.catalogue.genres),
        )

    def __call__(self, number: int) -> _Piece:
        rng = self.pieces.rng(number)
        rows = self.pieces.of_users(number, rng)
        text = lines.joined(
            self.users_text[rows.users],
            self.movies_text[rows.movies],
            _HALF_STARS[_half_stars(rows, rng)],
            *_SECONDS.text(rows.times),
        )
        return _Piece(self.pieces.spoilt(number, text, rng), self.tagging.lines(rows, rng))

    def write(self, folder: Path, *, processes: int) -> Dump:
        unpacked = folder / _ARCHIVE if self.layout == "zip" else folder
        unpacked.mkdir(exist_ok=True)
        with (unpacked / _RATINGS).open("wb") as ratings, (unpacked / "tags.csv").open("wb") as tags:
            ratings.write(b"userId,movieId,rating,timestamp\n")
            tags.write(b"userId,movieId,tag,timestamp\n")
            for piece in chunks.in_order(self, self.pieces.count, processes=processes):
                ratings.write(piece.ratings)
                tags.write(piece.tags)
        self._write_movies(unpacked / "movies.csv")
        self._write_links(unpacked / "links.csv")
        if self.layout == "zip":
            _pack(unpacked)
        return self._account(folder)

    def _account(self, folder: Path) -> Dump:
        request, packed = self.pieces.request, self.layout == "zip"
        return Dump(
            format="movielens",
            folder=folder,
            names=(Path(f"{_ARCHIVE}.zip" if packed else _RATINGS),),
            names_beside=() if packed else tuple(Path(name) for name in _BESIDE),
            ratings=request.ratings,
            duplicates=request.duplicates,
            broken=faults.counted(faults.kinds(request.broken_lines)),
            users=self.pieces.users,
            movies=len(self.pieces.catalogue.titles),
        )

    def _write_movies(self, path: Path) -> None:
        catalogue, seed = self.pieces.catalogue, self.pieces.request.seed
        ids = movie_ids("movielens", len(catalogue.titles), seed=seed)
        with path.open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(["movieId", "title", "genres"])
            genres = labels(catalogue, seed=seed)
            for place, (number, title, year) in enumerate(zip(ids, catalogue.titles, catalogue.years, strict=True)):
                listed = "|".join(sorted(label.movielens for label in genres[place]))
                none = place % _NO_GENRES == _NO_GENRES - 1
                rows.writerow([number, movielens_title(title, int(year)), "(no genres listed)" if none else listed])

    def _write_links(self, path: Path) -> None:
        n, seed = len(self.pieces.catalogue.titles), self.pieces.request.seed
        ids = (movie_ids("movielens", n, seed=seed), imdb_ids(n, seed=seed), tmdb_ids(n, seed=seed))
        with path.open("w", encoding="ascii", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(["movieId", "imdbId", "tmdbId"])
            for place, (movie, imdb, tmdb) in enumerate(zip(*ids, strict=True)):
                rows.writerow([movie, f"{imdb:07d}", "" if place % _NO_TMDB == _NO_TMDB - 1 else tmdb])


def movielens_title(title: str, year: int) -> str:
    """The article at the end and the year, where it is known (not 0), in brackets: `Matrix, The (1999)`."""
    first, _, rest = title.partition(" ")
    moved = f"{rest}, {first}" if first in _ARTICLES else title
    return f"{moved} ({year})" if year else moved


def _half_stars(rows: UserRows, rng: Rng) -> NDArray[np.int64]:
    """From 1 to 10, even for those who give whole stars only."""
    of_users = rng.random(int(rows.users[-1] - rows.users[0]) + 1) < _WHOLE_STARS_ONLY
    whole = of_users[rows.users - rows.users[0]]
    stars = rows.scores - np.float32(_STERNNESS)
    halves: NDArray[np.float32] = np.where(whole, 2 * np.rint(stars), np.rint(2 * stars))
    return np.clip(halves, np.where(whole, 2, 1), 10).astype(np.int64)


def _pack(folder: Path) -> None:
    """The folder becomes a zip archive of the same name, whose bytes depend on its files' alone."""
    with zipfile.ZipFile(folder.with_suffix(".zip"), "w", zipfile.ZIP_DEFLATED) as archive:
        for name in (_RATINGS, *_BESIDE):
            member = zipfile.ZipInfo(f"{folder.name}/{name}", date_time=(2005, 12, 31, 0, 0, 0))
            member.compress_type = zipfile.ZIP_DEFLATED
            with (folder / name).open("rb") as source, archive.open(member, "w", force_zip64=True) as target:
                shutil.copyfileobj(source, target, 1 << 20)
    shutil.rmtree(folder)
