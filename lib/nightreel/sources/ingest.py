"""Raw files to the bronze tables: what is new or changed is read, checked, and only then put in place."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from nightreel.errors import ConfigurationError, DataError
from nightreel.settings import Settings
from nightreel.sources.datasets.kmrd import KMRD
from nightreel.sources.datasets.movielens import MovieLens
from nightreel.sources.files import RawFile
from nightreel.sources.held_out import held_out_file
from nightreel.sources.inventory import BRONZE, Inventory, take_inventory
from nightreel.sources.judging import ID_TYPES
from nightreel.sources.metadata import find_metadata, read_metadata
from nightreel.sources.netflix import NetflixDump
from nightreel.sources.own import OwnData
from nightreel.sources.source import UNREADABLE, Described, Source
from nightreel.sources.survey import Tally, good_lines, kept_without, refuse, rejects, take_survey
from nightreel.tables.delta_rs import Staging, TableFile
from nightreel.tables.tables import Tables

_SOURCES: Mapping[str, Callable[[Settings], Source]] = {
    "netflix": NetflixDump,
    "movielens": MovieLens,
    "kmrd": KMRD,
    "own": OwnData,
    "events": OwnData,
}
"""By their names in data.source."""

_DAMAGED = re.compile(r"FAILED_READ_FILE\S* Encountered error while reading file (\S+)\.\s")
_CAUSE = re.compile(r"^Caused by: (?:[\w.]*\.)?(\w+: .*)$", re.MULTILINE)
_TOO_LONG = "a field of more than 1,000,000 characters, as where a quote is never closed"


@dataclass(frozen=True)
class IngestReport:
    """What a run read. Rows are lines of rating files: those in are kept or rejected."""

    files_read: int
    files_unchanged: int
    files_gone: int  # files ingested earlier that are no longer there; ingest.gone says whether their rows stay
    rows_in: int
    rows_kept: int
    items: int  # lines that describe items; like `metadata` 0 also where their files are unchanged
    metadata: int
    rejects: Mapping[str, int]  # lines quarantined by reason, those of items and metadata included
    kept_without: Mapping[str, int]  # rows kept although a column of theirs was unreadable, by what that is

    @property
    def lines_in(self) -> int:
        """Lines read of all kinds of files, those rejected among them."""
        return self.rows_kept + self.items + self.metadata + sum(self.rejects.values())


def check(settings: Settings) -> None:
    """Raise what `ingest` would where the settings name no files to read; needs no Spark."""
    _SOURCES[settings.data.source](settings).find()
    find_metadata(settings.metadata)
    held_out_file(settings)


def pairs_to_score(settings: Settings) -> str | None:
    """A file that `score` can predict, where one lies beside the ratings."""
    return _SOURCES[settings.data.source](settings).pairs_to_score()


def ingest(
    tables: Tables,
    settings: Settings,
    *,
    ingested_at: datetime,
    step: Callable[[str], AbstractContextManager[None]] = lambda _: nullcontext(),
) -> IngestReport:
    """Bring the bronze tables up to date with the files that the settings name.

    Every table changes in one commit, bronze_files last: after a run that was cut off in between, the next one
    reads the same files again and replaces what it left. Where no file is new or changed nothing is written. `step` is
    entered with the name of each part of the work, for a caller that times them.

    Raises
    ------
    ConfigurationError : a path does not exist, or the tables' ids are not as data.ids says
    DataError : no rating files, a damaged file, or more rejected lines than ingest.max_reject_share allows; the
        tables are as they were
    TableError : another job wrote the tables meanwhile, or they have another schema
    """
    tables.watch(*BRONZE)
    _refuse_other_ids(tables, settings)
    source = _SOURCES[settings.data.source](settings)
    with step("find files"):
        inventory = take_inventory(tables, source, settings)
    if not inventory.files and not inventory.dropped:
        return _report(inventory, [])
    staging = Staging(tables.folder_for_files("bronze_ratings") if inventory.only_adds(tables) else None)
    items = source.items(tables.spark, inventory.items)
    films = read_metadata(tables.spark, inventory.metadata, settings.ingest)
    of_others = items.lines.unionByName(films.lines).withColumn("written", F.lit(None).cast("string"))
    lines = source.survey(tables.spark, inventory.ratings, into=staging.prefix).unionByName(of_others)
    kept = [items.records.persist(), films.records.persist(), lines.persist()]
    try:
        with staging:
            with step("read lines"):
                tallies, written = _surveyed(lines)
            unit = "row" if settings.data.source in {"own", "events"} else "byte"
            refuse(tallies, inventory.ratings, max_share=settings.ingest.max_reject_share, unit=unit)
            refuse(tallies, inventory.items, max_share=settings.ingest.max_reject_share)
            refuse(tallies, inventory.metadata, max_share=settings.ingest.max_reject_share)
            _refuse_drop(tables, inventory, tallies, settings)
            with step("commit rows"):
                _write(tables, inventory, source, written=written, lines=lines, items=items, films=films)
        with step("commit files"):
            tables.put("bronze_files", _file_rows(inventory, tallies, ingested_at), inventory.replaced())
    finally:
        for rows in kept:
            rows.unpersist()
    return _report(inventory, tallies)


def _surveyed(lines: DataFrame) -> tuple[list[Tally], list[TableFile]]:
    """The lines counted; a file that Spark's readers find damaged is a DataError, as one that ours do."""
    try:
        return take_survey(lines)
    except Exception as error:
        damaged = _DAMAGED.search(str(error))
        if damaged is None:
            raise
        causes = [*_CAUSE.findall(str(error)), "no further word"]
        why = _TOO_LONG if "ArrayIndexOutOfBounds" in str(error) else causes[-2 if len(causes) > 1 else 0]
        path = unquote(re.sub("^file:/+", "/", damaged[1]))
        raise DataError(f"{path}: {UNREADABLE} to its end: {why}; nothing was written") from error


def _refuse_other_ids(tables: Tables, settings: Settings) -> None:
    """Raise ConfigurationError where tables that are there have ids of another type than data.ids asks for."""
    asked = ID_TYPES[settings.data.ids]
    for table in ("bronze_ratings", "bronze_items"):
        there = dict(tables.read(table).dtypes)["item_id"] if tables.exists(table) else asked
        if there != asked:
            raise ConfigurationError(
                f'data.ids = "{settings.data.ids}": the ids in {tables.name(table)} are {there}, not {asked}: set '
                "data.ids as it was, name another tables.dataset, or remove the dataset's tables; nothing was written"
            )


def _refuse_drop(tables: Tables, inventory: Inventory, tallies: Sequence[Tally], settings: Settings) -> None:
    """Raise DataError where the ratings would be fewer than the settings let them become."""
    if not (inventory.ratings or inventory.dropped) or not tables.exists("bronze_files"):
        return
    files = tables.read("bronze_files").select("file_id", "rows").where("kind = 'ratings'").collect()
    before = sum(rows for _, rows in files)
    leaving = {*inventory.ratings, *inventory.dropped}
    stay = sum(rows for file_id, rows in files if file_id not in leaving)
    after = stay + good_lines([one for one in tallies if one.file_id in inventory.ratings])
    if after < (1 - settings.ingest.max_drop_share) * before:
        raise DataError(
            f"{after:,} ratings where the last ingest left {before:,} ({1 - after / before:.1%} fewer), and "
            f"ingest.max_drop_share allows {settings.ingest.max_drop_share:.1%}; nothing was written"
        )


def _write(
    tables: Tables,
    inventory: Inventory,
    source: Source,
    *,
    written: Sequence[TableFile],
    lines: DataFrame,
    items: Described,
    films: Described,
) -> None:
    """Write the tables at once: most of a small table's commit is waiting."""
    quarantine = lines.where(F.col("reason").isNotNull()).select("file_id", "position", "line", "reason")

    def put(table: str, rows: DataFrame) -> None:
        if inventory.replaces_all:
            tables.replace(table, rows)
        else:
            tables.replace_where(table, rows, inventory.replaced())

    writes: list[Callable[[], None]] = [lambda: put("bronze_quarantine", quarantine)]
    if written:
        writes.append(lambda: tables.adopt("bronze_ratings", written, replace=inventory.replaces_all))
    else:
        ratings = source.ratings(tables.spark, inventory.ratings)
        writes.append(lambda: put("bronze_ratings", ratings))
    if inventory.items or not tables.exists("bronze_items"):
        writes.append(lambda: tables.replace("bronze_items", items.rows))
    if inventory.metadata:
        writes.append(lambda: tables.replace("bronze_metadata", films.rows))
    with ThreadPoolExecutor(len(writes)) as pool:
        for write in [pool.submit(write) for write in writes]:
            write.result()


def _file_rows(inventory: Inventory, tallies: Sequence[Tally], ingested_at: datetime) -> list[dict[str, object]]:
    """Grain file read; columns of bronze_files."""
    of_file: dict[int, list[Tally]] = {file_id: [] for file_id in inventory.files}
    for one in tallies:
        of_file[one.file_id].append(one)
    return [
        {
            "file_id": file_id,
            "kind": inventory.kind(file_id),
            "path": file.path,
            "size": file.size,
            "modified_at": file.modified_at,
            "rows": good_lines(of_file[file_id]),
            "rejected": rejects(of_file[file_id]).total(),
            "reading": inventory.readings[inventory.kind(file_id)],
            "ingested_at": ingested_at,
        }
        for file_id, file in sorted(inventory.files.items())
    ]


def _report(inventory: Inventory, tallies: Sequence[Tally]) -> IngestReport:
    def of(files: Mapping[int, RawFile]) -> list[Tally]:
        return [one for one in tallies if one.file_id in files]

    kept = good_lines(of(inventory.ratings))
    return IngestReport(
        files_read=len(inventory.files),
        files_unchanged=inventory.unchanged,
        files_gone=inventory.gone,
        rows_in=kept + rejects(of(inventory.ratings)).total(),
        rows_kept=kept,
        items=good_lines(of(inventory.items)),
        metadata=good_lines(of(inventory.metadata)),
        rejects=dict(rejects(tallies).most_common()),
        kept_without=dict(kept_without(tallies).most_common()),
    )
