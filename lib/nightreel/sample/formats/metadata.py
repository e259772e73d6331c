"""Films' descriptions, in the columns of The Movies Dataset or of TMDB 5000: of the films of all other formats."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nightreel.errors import ConfigurationError
from nightreel.sample import faults
from nightreel.sample.formats.film import Film, films
from nightreel.sample.formats.film_rows import MOVIES_DATASET, MOVIES_DATASET_BESIDE, TMDB_5000, TMDB_5000_BESIDE, Table
from nightreel.sample.language.titles import GENRES, MOST_MOVIES
from nightreel.sample.request import Dump, Layout, Request
from nightreel.sample.world.catalogue import Catalogue
from nightreel.sample.world.crowds import CROWDS, require

_TABLES: Mapping[Layout, tuple[Table, tuple[Table, ...]]] = {
    "movies_dataset": (MOVIES_DATASET, MOVIES_DATASET_BESIDE),
    "tmdb_5000": (TMDB_5000, TMDB_5000_BESIDE),
}
_SHIFTED, _HEAD, _TAIL = "shifted by a field", "cut short", "tail of a row"
_KINDS = (_SHIFTED, _HEAD, _TAIL)


@dataclass(frozen=True)
class MetadataPlan:
    request: Request
    table: Table
    beside: tuple[Table, ...]
    """With more of each film."""
    catalogue: Catalogue

    @classmethod
    def of(cls, request: Request) -> MetadataPlan:
        if request.users is not None:
            raise ConfigurationError(f"users = {request.users:,}: metadata describes films, it has no users")
        table, beside = _TABLES[request.laid_out()]
        by_default = max(crowd.movies(request.ratings) for crowd in CROWDS.values())
        movies = by_default if request.movies is None else request.movies
        require("movies", movies, low=len(GENRES), high=MOST_MOVIES)
        require("duplicates", request.duplicates, low=0, high=movies, why=", at most one a film")
        faults.kinds(request.broken_lines)
        return cls(request, table, beside, Catalogue.planted(movies=movies, seed=request.seed))

    def write(self, folder: Path, *, processes: int) -> Dump:  # noqa: ARG002
        request = self.request
        every = tuple(films(self.catalogue, seed=request.seed))
        _write(folder, self.table, self._rows(every))
        for table in self.beside:
            _write(folder, table, map(table.row, every))
        return Dump(
            format="metadata",
            folder=folder,
            names=(Path(self.table.name),),
            names_beside=tuple(Path(table.name) for table in self.beside),
            ratings=0,
            duplicates=request.duplicates,
            broken=faults.counted(faults.kinds(request.broken_lines, among=_KINDS)),
            users=0,
            movies=len(self.catalogue.titles),
        )

    def _rows(self, every: Iterable[Film]) -> Iterator[list[object]]:
        movies, rng = len(self.catalogue.titles), np.random.default_rng([self.request.seed, 16])
        broken: dict[int, list[str]] = defaultdict(list)
        for kind in faults.kinds(self.request.broken_lines, among=_KINDS):
            broken[int(rng.integers(movies))].append(kind)
        repeated = set(rng.permutation(movies)[: self.request.duplicates].tolist())
        for place, film in enumerate(every):
            row = self.table.row(film)
            yield row
            yield from (self._torn(row, kind) for kind in broken[place])
            if place in repeated:
                yield self.table.row(_counted_again(film))

    def _torn(self, row: list[object], kind: str) -> list[object]:
        """What is left of a row once a newline that nothing quotes, or a field too few, has gone through it."""
        if kind == _SHIFTED:
            return [*row[1:], ""]
        middle = self.table.columns.index("overview")
        return row[:middle] if kind == _HEAD else [" " + str(row[middle]), *row[middle + 1 :]]


def _write(folder: Path, table: Table, rows: Iterable[list[object]]) -> None:
    with (folder / table.name).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table.columns)
        writer.writerows(rows)


def _counted_again(film: Film) -> Film:
    return replace(film, votes=film.votes + 1)
