"""Which raw files are new, changed or gone since they were last ingested."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, groupby

from pyspark.sql import functions as F

from nightreel.settings import Settings
from nightreel.sources.files import RawFile
from nightreel.sources.metadata import METADATA_READING, find_metadata
from nightreel.sources.source import Source
from nightreel.tables.tables import Tables

BRONZE = ("bronze_ratings", "bronze_quarantine", "bronze_items", "bronze_files")

_LONG_RUN = 64
"""Shorter runs of ids are listed one by one: thousands of alternatives take minutes to parse, or the stack."""


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
    dropped: Sequence[int]  # the file_ids of files that are gone and whose rows are to go too
    largest_known: int
    readings: Mapping[str, str] = field(default_factory=dict)
    """Of ratings, items and metadata, a digest of everything beside a file's bytes that its rows depend on."""

    @property
    def files(self) -> Mapping[int, RawFile]:
        return {**self.ratings, **self.items, **self.metadata}

    def kind(self, file_id: int) -> str:
        return "ratings" if file_id in self.ratings else "items" if file_id in self.items else "metadata"

    @property
    def replaces_all(self) -> bool:
        return not self.unchanged and self.gone == len(self.dropped)

    def only_adds(self, tables: Tables) -> bool:
        """Whether no row of bronze_ratings that is to stay shares a table with one that is to go."""
        are_none_to_stay = self.replaces_all or not tables.exists("bronze_ratings")
        return are_none_to_stay or tables.read("bronze_ratings").where(self.replaced()).isEmpty()

    def replaced(self) -> str:
        """The SQL condition that the rows of files read now or dropped, and of unfinished runs, meet."""
        known = [file_id for file_id in self.files if file_id <= self.largest_known] + [*self.dropped]
        alternatives, single = [f"file_id > {self.largest_known}"], list[str]()
        for _, run in groupby(enumerate(sorted(known)), key=lambda numbered: numbered[1] - numbered[0]):
            ids = [file_id for _, file_id in run]
            if len(ids) > _LONG_RUN:
                alternatives.append(f"file_id BETWEEN {ids[0]} AND {ids[-1]}")
            else:
                single += map(str, ids)
        if single:
            alternatives.append(f"file_id IN ({', '.join(single)})")
        return " OR ".join(alternatives)


def take_inventory(tables: Tables, source: Source, settings: Settings) -> Inventory:
    """Compare the files found with bronze_files: a file is read again if its size, time or reading differs.

    Those of items, and those of metadata, are read again together; all files where a table is not there.
    """
    found, metadata = source.find(), find_metadata(settings.metadata)
    readings = {"ratings": source.reading, "items": source.reading, "metadata": METADATA_READING}
    read_all = not all(map(tables.exists, [*BRONZE, *["bronze_metadata"] * bool(metadata)]))
    columns = ("path", "file_id", "size", F.unix_micros("modified_at"), "reading")
    rows = tables.read("bronze_files").select(*columns).collect() if tables.exists("bronze_files") else []
    known = {path: tuple(rest) for path, *rest in rows}
    largest = max((file_id for file_id, *_ in known.values()), default=0)
    fresh = count(largest + 1)
    listed = [*found.ratings, *found.items, *metadata]
    ids = {file.path: known[file.path][0] if file.path in known else next(fresh) for file in listed}
    now = {file.path: (ids[file.path], file.size, _micros(file)) for file in listed}

    def to_read(files: Sequence[RawFile], kind: str, *, together: bool) -> dict[int, RawFile]:
        changed = [one for one in files if read_all or known.get(one.path) != (*now[one.path], readings[kind])]
        return {ids[file.path]: file for file in (files if together and changed else changed)}

    ratings = to_read(found.ratings, "ratings", together=False)
    items = to_read(found.items, "items", together=True)
    films = to_read(metadata, "metadata", together=True)
    gone = [file_id for path, (file_id, *_) in known.items() if path not in ids]
    return Inventory(
        ratings=ratings,
        items=items,
        metadata=films,
        unchanged=len(ids) - len(ratings) - len(items) - len(films),
        gone=len(gone),
        dropped=gone if settings.ingest.gone == "drop" else [],
        largest_known=largest,
        readings=readings,
    )


def _micros(file: RawFile) -> int | None:
    return None if file.modified_at is None else round(file.modified_at.timestamp() * 1_000_000)
