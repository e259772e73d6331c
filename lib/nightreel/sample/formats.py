"""The two raw formats: the Netflix Prize's, movie by movie, and MovieLens', user by user; with broken lines in them."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice, pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nightreel.sample.titles import GENRES, Genre
from nightreel.sample.world import DAYS, FIRST_DAY, Lottery, Positions, Rng, World

ROWS = 200_000
"""About how many rows are in memory at a time."""
RATINGS_PER_FILE, MOST_FILES = 25_000_000, 4
_HIGHEST_USER = 2_649_429
_LAST_YEAR = DAYS - 365
_PROBED = 0.025
"""The share of the last year's ratings that probe.txt names."""
_QUALIFYING = 0.014
"""How many unrated pairs qualifying.txt has, as a share of each movie's ratings."""
_REPEATED_WITHIN_DAYS = 60
_COMPANIONS = {
    Genre.SCIENCE_FICTION: "Action",
    Genre.ROMANCE: "Comedy",
    Genre.HORROR: "Thriller",
    Genre.WESTERN: "Drama",
    Genre.MYSTERY: "Crime",
    Genre.WILDLIFE: "Children",
}
_NO_GENRES = 150
"""Every 150th movie has no genres listed."""
_OUTSIDE = (b"0", b"6", b"-1", b"50")
_IMPOSSIBLE = (b"2004-02-30", b"2005-13-01", b"2003-00-17", b"yesterday")
_FIRST_SECOND = int(np.datetime64(FIRST_DAY, "s").astype(np.int64))

Text = NDArray[np.bytes_]


@dataclass(frozen=True)
class Order:
    """What a dump is written from.

    counts : good lines of each movie (Netflix) or user (MovieLens)
    """

    folder: Path
    world: World
    counts: Positions
    broken_lines: int
    duplicates: int
    rng: Rng


@dataclass(frozen=True)
class _Piece:
    """The pairs of neighbouring owners: an owner is a movie in Netflix's format and a user in MovieLens'.

    owners, others : positions of the rows' movies and users in the world
    repeats : the rows that have the same pair as the row after them
    spare_owners, spare_others : the same of pairs that are not rated
    broken : the kinds of the broken lines that go among the rows
    """

    owners: Positions
    others: Positions
    repeats: Positions
    spare_owners: Positions
    spare_others: Positions
    broken: list[str]


def write_netflix(order: Order, *, one_file_a_movie: bool) -> tuple[list[Path], int]:
    """Write ratings, titles, probe.txt and qualifying.txt. Returns the rating files and the number of users in them."""
    folder, world, rng = order.folder, order.world, order.rng
    users_text = _each(rng.choice(_HIGHEST_USER, world.tastes.size, replace=False) + 1, end=",")
    stars_text = _each(range(6), end=",")
    dates = _each(np.datetime64(FIRST_DAY, "D") + np.arange(DAYS), end="\n")
    names = _netflix_names(order.counts, one_file_a_movie=one_file_a_movie)
    files: dict[Path, None] = {}
    has_rated = np.zeros(world.tastes.size, dtype=np.bool_)
    for piece in _pieces(order, world.raters(), world.genres, spare=_QUALIFYING, rows=1 if one_file_a_movie else ROWS):
        movies, users = piece.owners, piece.others
        file = folder / names[movies[0]]
        files[file], has_rated[users] = None, True
        days, scores = _opinions(piece, world, users, movies, rng)
        stars = np.clip(np.rint(scores), 1, 5).astype(np.int64)
        text = _by_movie(movies, users_text[users], stars_text[stars], dates[days])
        _append(file, _with_broken(text, piece.broken, rng))
        probed = (days >= _LAST_YEAR) & (rng.random(days.size) < _PROBED)
        probed[piece.repeats] = False
        _append(folder / "probe.txt", _by_movie(movies[probed], users_text[users[probed]]).replace(b",", b"\n"))
        spare_days = world.days(piece.spare_others, piece.spare_owners, rng, from_day=_LAST_YEAR)
        qualifying = _by_movie(piece.spare_owners, users_text[piece.spare_others], dates[spare_days])
        _append(folder / "qualifying.txt", qualifying)
    rows = enumerate(zip(world.years.tolist(), world.titles, strict=True), start=1)
    titles = "".join(f"{movie},{year or 'NULL'},{title}\n" for movie, (year, title) in rows)
    (folder / "movie_titles.csv").write_bytes(titles.encode("latin-1"))
    return list(files), int(has_rated.sum())


def write_movielens(order: Order) -> tuple[list[Path], int]:
    """Write ratings.csv by user and movie, and movies.csv. Returns the file of ratings and the number of users."""
    world, rng = order.world, order.rng
    movie_ids = np.cumsum(1 + rng.poisson(2.0, world.genres.size))
    users_text, movies_text = _each(range(1, world.tastes.size + 1), end=","), _each(movie_ids, end=",")
    halves_text = _each(np.arange(11) / 2, end=",")
    file = order.folder / "ratings.csv"
    _append(file, b"userId,movieId,rating,timestamp\n")
    for piece in _pieces(order, world.rated(), world.tastes):
        users, movies = piece.owners, piece.others
        days, scores = _opinions(piece, world, users, movies, rng)
        halves = np.clip(np.rint(2 * scores), 1, 10).astype(np.int64)
        seconds = _FIRST_SECOND + 86_400 * days + rng.integers(0, 86_400, days.size)
        times = (seconds.astype("S10"), np.full(days.size, b"\n"))
        text = _joined(users_text[users], movies_text[movies], halves_text[halves], *times)
        _append(file, _with_broken(text, piece.broken, rng))
    with (order.folder / "movies.csv").open("w", encoding="utf-8", newline="") as movies_file:
        lines = csv.writer(movies_file, lineterminator="\n")
        lines.writerow(["movieId", "title", "genres"])
        for place, movie in enumerate(movie_ids.tolist()):
            lines.writerow([movie, _movielens_title(world, place), _movielens_genres(world, place)])
    return [file], int(world.tastes.size)


def _pieces(
    order: Order, lottery: Lottery, kinds: Positions, *, spare: float = 0.0, rows: int = ROWS
) -> Iterator[_Piece]:
    """All pairs, by owner and in the order of its others, in pieces of whole owners with `rows` rows or a few more.

    lottery, kinds : draws an owner's others, by the owner's kind
    spare : how many unrated pairs each owner also gets, as a share of its ratings
    """
    counts, rng = order.counts, order.rng
    twice = np.zeros(counts.size, dtype=np.int64)
    twice[rng.permutation(np.flatnonzero(counts > 1))[: order.duplicates]] = 1
    distinct, spares = counts - twice, rng.binomial(counts, spare)
    broken = rng.multinomial(order.broken_lines, counts / counts.sum())
    turns = cycle(_BREAK)
    starts = np.flatnonzero(np.diff((np.cumsum(counts) - counts) // rows, prepend=-1))
    for start, end in pairwise([*starts.tolist(), counts.size]):
        owners = np.arange(start, end)
        drawn = [lottery.draw(kinds[owner], distinct[owner] + spares[owner], rng) for owner in owners]
        rated = [np.sort(some[:count]) for some, count in zip(drawn, distinct[owners], strict=True)]
        again = [np.concatenate([some[:times], some]) for some, times in zip(rated, twice[owners], strict=True)]
        first = np.cumsum(counts[owners]) - counts[owners]
        yield _Piece(
            owners=np.repeat(owners, counts[owners]),
            others=np.concatenate(again),
            repeats=first[twice[owners] > 0],
            spare_owners=np.repeat(owners, spares[owners]),
            spare_others=np.concatenate([some[n:] for some, n in zip(drawn, distinct[owners], strict=True)]),
            broken=list(islice(turns, int(broken[owners].sum()))),
        )


def _opinions(
    piece: _Piece, world: World, users: Positions, movies: Positions, rng: Rng
) -> tuple[Positions, NDArray[np.float32]]:
    """Days and scores of the rows; a row that repeats the next one's pair is later and has other stars."""
    days, scores = world.days(users, movies, rng), world.scores(users, movies, rng)
    again, before = piece.repeats, piece.repeats + 1
    days[before] = np.minimum(days[before], DAYS - 2)
    days[again] = np.minimum(days[before] + rng.integers(1, _REPEATED_WITHIN_DAYS, again.size), DAYS - 1)
    known = np.clip(scores[before], 1, 5)
    scores[again] = known + np.where(known < 3, 1.5, -1.5)
    return days, scores


def _netflix_names(counts: Positions, *, one_file_a_movie: bool) -> list[str]:
    """The file of each movie: about the same number of ratings in every combined one."""
    if one_file_a_movie:
        return [f"training_set/mv_{movie:07d}.txt" for movie in range(1, counts.size + 1)]
    total = int(counts.sum())
    files = min(MOST_FILES, -(-total // RATINGS_PER_FILE))
    numbers = (np.cumsum(counts) - counts) * files // total + 1
    return [f"combined_data_{number}.txt" for number in numbers.tolist()]


def _movielens_title(world: World, place: int) -> str:
    """The article at the end, and the year in brackets if it is known: `Matrix, The (1999)`."""
    title, year = world.titles[place], int(world.years[place])
    first, _, rest = title.partition(" ")
    moved = f"{rest}, {first}" if first in ("The", "A") else title
    return f"{moved} ({year})" if year else moved


def _movielens_genres(world: World, place: int) -> str:
    """The planted genre, and a second one for every other movie."""
    if place % _NO_GENRES == _NO_GENRES - 1:
        return "(no genres listed)"
    genre = GENRES[world.genres[place]]
    return "|".join(sorted([genre, _COMPANIONS[genre]] if place % 2 else [genre]))


def _each(values: Iterable[object], *, end: str) -> Text:
    """The text of every value: a table to pick from by position."""
    return np.array([f"{value}{end}" for value in values], dtype=np.bytes_)


def _by_movie(movies: Positions, *columns: Text) -> bytes:
    """The rows as lines, each movie's after a line `movie:`."""
    first = np.flatnonzero(np.diff(movies, prepend=-1))
    headers = np.zeros(movies.size, dtype="S8")
    headers[first] = _each(movies[first] + 1, end=":\n")
    return _joined(headers, *columns)


def _joined(*columns: Text) -> bytes:
    """The rows as lines: columns of fixed width side by side, without the zero bytes that pad them."""
    return np.rec.fromarrays(columns).tobytes().translate(None, b"\0")


def _append(file: Path, text: bytes) -> None:
    file.parent.mkdir(exist_ok=True)
    with file.open("ab") as open_file:
        open_file.write(text)


def _one(choices: Sequence[bytes], rng: Rng) -> bytes:
    return choices[int(rng.integers(len(choices)))]


def _bad_id(fields: list[bytes], rng: Rng) -> bytes:
    user = fields[0]
    return b",".join([_one((b"user" + user, b"-" + user, user + b"9" * 19, b""), rng), *fields[1:]])


def _truncated(fields: list[bytes], rng: Rng) -> bytes:
    """Without at least the last field: a time of fewer figures is still a time."""
    kept = b",".join(fields[:-1])
    return kept[: len(kept) - int(rng.integers(0, 2))]


_BREAK: Mapping[str, Callable[[list[bytes], Rng], bytes]] = {
    "rating outside the scale": lambda fields, rng: b",".join([*fields[:-2], _one(_OUTSIDE, rng), fields[-1]]),
    "impossible date": lambda fields, rng: b",".join([*fields[:-1], _one(_IMPOSSIBLE, rng)]),
    "bad id": _bad_id,
    "truncated": _truncated,
    "binary": lambda _, rng: rng.integers(128, 256, 24, dtype=np.uint8).tobytes() + b"\0",
}
"""Makes a line that no reader accepts, by kind, from the fields of a good one: user, (movie,) rating, time."""


def broken_by_kind(lines: int) -> Mapping[str, int]:
    """How many of the broken lines are of each kind: the kinds take turns."""
    return {kind: len(range(turn, lines, len(_BREAK))) for turn, kind in enumerate(_BREAK)}


def _with_broken(text: bytes, kinds: Sequence[str], rng: Rng) -> bytes:
    """The text with a broken line of each kind in it, made from the good line before it."""
    parts, start = [], 0
    for kind, byte in zip(kinds, sorted(rng.integers(0, len(text), len(kinds)).tolist()), strict=True):
        end = text.index(b"\n", byte) + 1
        if text[end - 2 : end] == b":\n":
            end = text.index(b"\n", end) + 1
        line = text[text.rfind(b"\n", 0, end - 1) + 1 : end - 1]
        parts += [text[start:end], _BREAK[kind](line.split(b","), rng), b"\n"]
        start = end
    return b"".join([*parts, text[start:]])
