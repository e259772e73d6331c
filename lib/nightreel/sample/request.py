"""What is asked for, and what was generated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from nightreel.errors import ConfigurationError
from nightreel.sample.world.crowds import Format

Layout = Literal["combined", "training_set", "csv", "zip", "movies_dataset", "tmdb_5000"]

LAYOUTS: Mapping[Format, tuple[Layout, ...]] = {
    "netflix": ("combined", "training_set"),
    "movielens": ("csv", "zip"),
    "kmrd": ("csv",),
    "metadata": ("movies_dataset", "tmdb_5000"),
}
"""The first is the one taken where none is named."""


@dataclass(frozen=True)
class Request:
    """See `generate`."""

    format: Format
    ratings: int
    seed: int
    broken_lines: int
    duplicates: int
    users: int | None
    movies: int | None
    layout: Layout | None

    def laid_out(self) -> Layout:
        """Raises ConfigurationError where the format has no such layout."""
        allowed = LAYOUTS[self.format]
        if self.layout is not None and self.layout not in allowed:
            raise ConfigurationError(f"layout = {self.layout}: {self.format} has {' and '.join(allowed)}")
        return self.layout or allowed[0]


@dataclass(frozen=True)
class Dump:
    """What was generated: its files, and what a reader must find in them."""

    format: Format
    folder: Path
    names: tuple[Path, ...]
    """Of the files of ratings (or descriptions, of metadata) in the order of their rows, within the folder."""
    names_beside: tuple[Path, ...]
    """Of all others."""
    ratings: int
    """Good lines, repeated pairs included; of metadata none."""
    duplicates: int
    """Good lines that repeat a pair of user and film; of metadata rows that repeat an id."""
    broken: Mapping[str, int]
    """Lines that no reader can accept, by kind."""
    users: int
    """Distinct users in the good lines."""
    movies: int
    """Films described, rated or not."""

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(self.folder / name for name in self.names)

    @property
    def files_beside(self) -> tuple[Path, ...]:
        return tuple(self.folder / name for name in self.names_beside)

    @property
    def broken_lines(self) -> int:
        return sum(self.broken.values())


class Plan(Protocol):
    """A request that can be met, in one format."""

    def write(self, folder: Path, *, processes: int) -> Dump:
        """The files, into an empty folder."""
