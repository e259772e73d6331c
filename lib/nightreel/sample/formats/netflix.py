"""The raw format of the Netflix Prize: ratings film by film, titles, and the pairs of probe.txt and qualifying.txt."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from nightreel.sample import chunks, faults, lines
from nightreel.sample.request import Dump, Layout, Request
from nightreel.sample.world.allot import allot
from nightreel.sample.world.by_movie import ByMovie, MovieRows
from nightreel.sample.world.catalogue import Catalogue
from nightreel.sample.world.crowds import CROWDS, MOST_RATERS, require, sizes
from nightreel.sample.world.ids import user_ids
from nightreel.sample.world.opinions import Opinions, Rng
from nightreel.sample.world.period import DAYS, FIRST_DAY

RATINGS_PER_FILE = 25_000_000
MOST_FILES = 4

_DATES = np.array([f"{day}\n" for day in np.datetime64(FIRST_DAY, "D") + np.arange(DAYS)], dtype=np.bytes_)
_TITLES = "movie_titles.csv"
_PAIRS = ("probe.txt", "qualifying.txt")
_STARS = lines.each(np.arange(6), end=",")


@dataclass(frozen=True)
class _Piece:
    """The text of neighbouring films."""

    ratings: list[tuple[Path, bytes]]
    """By file."""
    probe: bytes
    qualifying: bytes
    met: NDArray[np.uint8]
    """The users in it, a bit each."""


@dataclass(frozen=True)
class NetflixPlan:
    """Called with a number, it makes that piece."""

    request: Request
    rows: ByMovie
    ids: NDArray[np.int64]
    """Of the users."""
    ids_text: lines.Text
    names: list[Path]
    """Of the file of each film."""
    broken: Mapping[int, list[str]]
    """The broken lines of the films that have some, by kind."""
    pieces: list[range]

    @classmethod
    def of(cls, request: Request) -> NetflixPlan:
        crowd, rng = CROWDS["netflix"], np.random.default_rng([request.seed, 4])
        users, movies = sizes(crowd, request.ratings, users=request.users, movies=request.movies)
        opinions = Opinions.planted(users=users, movies=movies, crowd=crowd, seed=request.seed)
        popularity = opinions.catalogue.popularity(crowd.popularity_spread)
        ratings = allot(popularity, total=request.ratings, high=int(MOST_RATERS * users))
        _check_duplicates(request.duplicates, ratings)
        ids = user_ids("netflix", users, seed=request.seed)
        return cls(
            request=request,
            rows=ByMovie.planted(opinions, ratings, crowd=crowd, repeats=request.duplicates, rng=rng),
            ids=ids,
            ids_text=lines.each(ids, end=","),
            names=_file_names(ratings, request.laid_out()),
            broken=_by_movie(faults.kinds(request.broken_lines), ratings, rng),
            pieces=chunks.cut(ratings),
        )

    def __call__(self, number: int) -> _Piece:
        rng = np.random.default_rng([self.request.seed, 5, number])
        ratings: dict[Path, list[bytes]] = defaultdict(list)
        probe, qualifying = [], []
        met = np.zeros(self.ids.size, dtype=np.bool_)
        for movie in self.pieces[number]:
            rows = self.rows.rows(movie, rng)
            met[rows.users] = True
            header = b"%d:\n" % (movie + 1)
            ratings[self.names[movie]].append(self._spoilt(movie, header + self._rating_lines(rows), rng))
            if rows.probed.size:
                probe.append(header + self._probe_lines(rows))
            if rows.asked.size:
                qualifying.append(header + self._questions(rows))
        texts = [(name, b"".join(parts)) for name, parts in ratings.items()]
        return _Piece(texts, b"".join(probe), b"".join(qualifying), np.packbits(met))

    def _rating_lines(self, rows: MovieRows) -> bytes:
        stars = np.clip(np.rint(rows.scores), 1, 5).astype(np.int8)
        return lines.joined(self.ids_text[rows.users], _STARS[stars], _DATES[rows.days])

    def _spoilt(self, movie: int, text: bytes, rng: Rng) -> bytes:
        broken = self.broken.get(movie)
        return faults.spoil(text, broken, rng, format="netflix", after=1) if broken else text

    def _probe_lines(self, rows: MovieRows) -> bytes:
        return "".join(f"{user}\n" for user in self.ids[rows.users[rows.probed]].tolist()).encode()

    def _questions(self, rows: MovieRows) -> bytes:
        return lines.joined(self.ids_text[rows.asked], _DATES[rows.asked_days])

    def write(self, folder: Path, *, processes: int) -> Dump:
        met = np.zeros(-(-self.ids.size // 8), dtype=np.uint8)
        with ExitStack() as open_files:
            probe, qualifying = (open_files.enter_context((folder / name).open("wb")) for name in _PAIRS)
            ratings = open_files.enter_context(_RatingFiles(folder))
            for piece in chunks.in_order(self, len(self.pieces), processes=processes):
                met |= piece.met
                probe.write(piece.probe)
                qualifying.write(piece.qualifying)
                for name, text in piece.ratings:
                    ratings.write(name, text)
        catalogue = self.rows.opinions.catalogue
        write_titles(folder / _TITLES, catalogue)
        return Dump(
            format="netflix",
            folder=folder,
            names=tuple(dict.fromkeys(self.names)),
            names_beside=tuple(Path(name) for name in (_TITLES, *_PAIRS)),
            ratings=self.request.ratings,
            duplicates=self.request.duplicates,
            broken=faults.counted(faults.kinds(self.request.broken_lines)),
            users=int(np.unpackbits(met).sum()),
            movies=len(catalogue.titles),
        )


class _RatingFiles:
    """One file after another, each open while its films are written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._name: Path | None = None
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, name: Path, text: bytes) -> None:
        if self._file is None or name != self._name:
            self.__exit__()
            (self._folder / name).parent.mkdir(exist_ok=True)
            self._name, self._file = name, (self._folder / name).open("wb")
        self._file.write(text)


def write_titles(path: Path, catalogue: Catalogue) -> None:
    """`id,year,title` in Latin-1, nothing quoted; the year is NULL where it is unknown."""
    rows = enumerate(zip(catalogue.years.tolist(), catalogue.titles, strict=True), start=1)
    text = "".join(f"{movie},{year or 'NULL'},{title}\n" for movie, (year, title) in rows)
    path.write_bytes(text.encode("latin-1"))


def _check_duplicates(duplicates: int, ratings: NDArray[np.int64]) -> None:
    require("duplicates", duplicates, low=0, high=int((ratings > 1).sum()), why=", at most one a movie")


def _by_movie(kinds: list[str], ratings: NDArray[np.int64], rng: Rng) -> Mapping[int, list[str]]:
    """Which broken lines each film gets: the more ratings, the more."""
    movies = rng.choice(ratings.size, len(kinds), p=ratings / ratings.sum())
    chosen = defaultdict(list)
    for movie, kind in zip(movies.tolist(), kinds, strict=True):
        chosen[movie].append(kind)
    return dict(chosen)


def _file_names(ratings: NDArray[np.int64], layout: Layout) -> list[Path]:
    """The file of each film: about the same number of ratings in every combined one."""
    if layout == "training_set":
        return [Path("training_set", f"mv_{movie:07d}.txt") for movie in range(1, ratings.size + 1)]
    total = int(ratings.sum())
    files = min(MOST_FILES, -(-total // RATINGS_PER_FILE))
    numbers = (np.cumsum(ratings) - ratings) * files // total + 1
    return [Path(f"combined_data_{number}.txt") for number in numbers]
