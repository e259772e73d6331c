"""Which raw files are new, changed or gone since they were last ingested."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from nightreel.sources.files import RawFile
from nightreel.sources.source import Found
from nightreel.tables.tables import Tables

_LONG_SPAN = 64
"""Shorter ones are listed id by id: a condition of thousands of alternatives takes minutes to read, or the stack."""


@dataclass(frozen=True)
class Inventory:
    """The files to be read, by file_id, and how many need not be.

    A path keeps its file_id for good; new paths get ids above all known ones. Rows with ids above `largest_known`
    can only stem from a run that ended before it was done, so they are replaced too.
    """

    ratings: Mapping[int, RawFile]
    items: Mapping[int, RawFile]
    metadata: Mapping[int, RawFile]
    unchanged: int
    gone: int
    dropped: Sequence[int]
    """The file_ids of files that are gone and whose rows are to go too."""
    largest_known: int

    @property
    def files(self) -> Mapping[int, RawFile]:
        return {**self.ratings, **self.items, **self.metadata}

    def kind(self, file_id: int) -> str:
        if file_id in self.ratings:
            return "ratings"
        return "items" if file_id in self.items else "metadata"

    @property
    def replaces_all(self) -> bool:
        return not self.unchanged and self.gone == len(self.dropped)

    def only_adds(self, tables: Tables) -> bool:
        """Whether no row of bronze_ratings that is to stay shares a table with one that is to go."""
        if self.replaces_all or not tables.exists("bronze_ratings"):
            return True
        return tables.read("bronze_ratings").where(self.replaced()).isEmpty()

    def replaced(self) -> str:
        """The SQL condition that the rows of files read now or dropped, and of unfinished runs, meet."""
        known = [file_id for file_id in self.files if file_id <= self.largest_known] + [*self.dropped]
        alternatives, single = [f"file_id > {self.largest_known}"], []
        for first, last in _spans(known):
            if last - first >= _LONG_SPAN:
                alternatives.append(f"file_id BETWEEN {first} AND {last}")
            else:
                single += [str(file_id) for file_id in range(first, last + 1)]
        if single:
            alternatives.append(f"file_id IN ({', '.join(single)})")
        return " OR ".join(alternatives)


@dataclass(frozen=True)
class _Known:
    file_id: int
    size: int
    modified_micros: int | None
    reading: str


def take_inventory(
    tables: Tables,
    found: Found,
    metadata: Sequence[RawFile],
    *,
    readings: Mapping[str, str],
    read_all: bool,
    drop_gone: bool,
) -> Inventory:
    """Compare the files found with bronze_files: a file is read again if its size, time or reading differs.

    Those of items, and those of metadata, are read again together.

    Parameters
    ----------
    readings : of ratings, items and metadata, a digest of everything beside a file's bytes that its rows depend on
    drop_gone : whether the rows of files that are no longer there are to go
    """
    known = _known_files(tables.read("bronze_files")) if tables.exists("bronze_files") else {}
    largest = max((file.file_id for file in known.values()), default=0)
    fresh = count(largest + 1)
    listed = [*found.ratings, *found.items, *metadata]
    ids = {file.path: known[file.path].file_id if file.path in known else next(fresh) for file in listed}

    def to_read(files: Iterable[RawFile], reading: str) -> dict[int, RawFile]:
        return {ids[file.path]: file for file in files if read_all or not _same(file, known.get(file.path), reading)}

    def together(files: Sequence[RawFile], reading: str) -> dict[int, RawFile]:
        return {ids[file.path]: file for file in files} if to_read(files, reading) else {}

    ratings = to_read(found.ratings, readings["ratings"])
    items, films = together(found.items, readings["items"]), together(metadata, readings["metadata"])
    gone = [file.file_id for path, file in known.items() if path not in ids]
    return Inventory(
        ratings=ratings,
        items=items,
        metadata=films,
        unchanged=len(ids) - len(ratings) - len(items) - len(films),
        gone=len(gone),
        dropped=gone if drop_gone else [],
        largest_known=largest,
    )


def _known_files(files: DataFrame) -> dict[str, _Known]:
    columns = files.select("path", "file_id", "size", F.unix_micros("modified_at"), "reading")
    return {path: _Known(*rest) for path, *rest in columns.collect()}


def _same(file: RawFile, known: _Known | None, reading: str) -> bool:
    return known is not None and known == _Known(known.file_id, file.size, _micros(file.modified_at), reading)


def _micros(moment: datetime | None) -> int | None:
    return None if moment is None else round(moment.timestamp() * 1_000_000)


def _spans(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """The runs of consecutive numbers, each as its first and last."""
    spans: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if spans and number == spans[-1][1] + 1:
            spans[-1] = (spans[-1][0], number)
        else:
            spans.append((number, number))
    return spans
