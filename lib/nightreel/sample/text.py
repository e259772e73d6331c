"""The dump's files: blocks of rows become their text."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Literal, Self

import numpy as np
from numpy.typing import NDArray

from nightreel.sample import faults
from nightreel.sample.population import DAYS, FIRST_DAY, Audience, Catalogue
from nightreel.sample.rows import Block, Rng

Layout = Literal["combined", "training_set"]
RATINGS_PER_FILE = 25_000_000
MOST_FILES = 4

# A line is put together from pieces of fixed width, padded with zero bytes that are deleted at the end.
_DATES = np.array([f"{day}\n" for day in np.datetime64(FIRST_DAY, "D") + np.arange(DAYS)], dtype="S11")
_STARS = np.array(["0,", "1,", "2,", "3,", "4,", "5,"], dtype="S2")
_RATING = np.dtype([("user", "S8"), ("stars", "S2"), ("date", "S11")])
_QUESTION = np.dtype([("user", "S8"), ("date", "S11")])


class DumpWriter:
    """Writes blocks of movies, in order, into the ratings, probe and qualifying files of a dump."""

    def __init__(self, folder: Path, *, layout: Layout, catalogue: Catalogue, audience: Audience) -> None:
        self._folder = folder
        self._names = _file_names(catalogue.ratings, layout)
        self._ids = audience.ids
        self._ids_text = np.array([f"{user}," for user in audience.ids], dtype="S8")
        self._probe = (folder / "probe.txt").open("wb")
        self._qualifying = (folder / "qualifying.txt").open("wb")
        self._ratings: BinaryIO | None = None
        self.files: list[Path] = []
        """Of ratings, within the folder."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for file in (self._probe, self._qualifying, self._ratings):
            if file is not None:
                file.close()

    def write(self, block: Block, *, broken: Iterable[str], rng: Rng) -> None:
        header = b"%d:\n" % (block.movie + 1)
        text = header + self._rating_lines(block)
        self._file_of(block.movie).write(faults.spoil(text, broken, rng) if broken else text)
        if block.probed.size:
            lines = "".join(f"{user}\n" for user in self._ids[block.users[block.probed]].tolist())
            self._probe.write(header + lines.encode())
        if block.asked.size:
            self._qualifying.write(header + self._questions(block))

    def _file_of(self, movie: int) -> BinaryIO:
        name = self._names[movie]
        if self._ratings is None or self.files[-1] != name:
            if self._ratings is not None:
                self._ratings.close()
            self.files.append(name)
            (self._folder / name).parent.mkdir(exist_ok=True)
            self._ratings = (self._folder / name).open("wb")
        return self._ratings

    def _rating_lines(self, block: Block) -> bytes:
        lines = np.empty(block.users.size, dtype=_RATING)
        lines["user"] = self._ids_text[block.users]
        lines["stars"] = _STARS[block.stars]
        lines["date"] = _DATES[block.days]
        return _unpadded(lines)

    def _questions(self, block: Block) -> bytes:
        lines = np.empty(block.asked.size, dtype=_QUESTION)
        lines["user"] = self._ids_text[block.asked]
        lines["date"] = _DATES[block.asked_days]
        return _unpadded(lines)


def write_titles(path: Path, catalogue: Catalogue) -> None:
    """`id,year,title` in Latin-1, nothing quoted; the year is NULL where it is unknown."""
    rows = enumerate(zip(catalogue.years, catalogue.titles, strict=True), start=1)
    text = "".join(f"{movie},{year or 'NULL'},{title}\n" for movie, (year, title) in rows)
    path.write_bytes(text.encode("latin-1"))


def _file_names(ratings: NDArray[np.int64], layout: Layout) -> list[Path]:
    """The file of each movie: about the same number of ratings in every combined one."""
    if layout == "training_set":
        return [Path("training_set", f"mv_{movie:07d}.txt") for movie in range(1, ratings.size + 1)]
    total = int(ratings.sum())
    files = min(MOST_FILES, -(-total // RATINGS_PER_FILE))
    numbers = (np.cumsum(ratings) - ratings) * files // total + 1
    return [Path(f"combined_data_{number}.txt") for number in numbers]


def _unpadded(lines: NDArray[np.void]) -> bytes:
    return lines.tobytes().translate(None, b"\0")
