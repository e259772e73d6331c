"""Rows put into a local Delta table without Spark: beside other writers, and for many files at once."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from threading import Barrier

import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError

from nightreel.sources.files import RawFile
from nightreel.sources.inventory import Inventory
from nightreel.tables.delta_rs import commit_rows

SCHEMA = json.dumps(
    {
        "type": "struct",
        "fields": [
            {"name": name, "type": kind, "nullable": True, "metadata": {}}
            for name, kind in (("file_id", "integer"), ("reading", "string"))
        ],
    }
)


def put(folder: Path, rows: dict[int, str], condition: str, version: int | None = None) -> None:
    given = [{"file_id": file_id, "reading": reading} for file_id, reading in rows.items()]
    commit_rows(
        str(folder),
        given,
        schema=SCHEMA,
        condition=condition,
        partitions=(),
        properties={},
        version=version,
    )


def rows_of(folder: Path) -> dict[int, str]:
    return {row["file_id"]: row["reading"] for row in pq.read_table(DeltaTable(folder).file_uris()).to_pylist()}


def test_of_jobs_that_put_at_once_each_keeps_its_rows_and_the_same_row_is_there_once(tmp_path: Path) -> None:
    together = Barrier(4)

    def job(number: int) -> None:
        together.wait()
        put(tmp_path, {number // 2: f"by {number}"}, f"file_id = {number // 2}")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(job, range(4)))
    assert len(rows_of(tmp_path)) == 2
    assert rows_of(tmp_path).keys() == {0, 1}


def test_of_two_that_looked_at_the_same_version_the_second_fails(tmp_path: Path) -> None:
    put(tmp_path, {1: "first"}, "file_id = 1")
    seen = DeltaTable(tmp_path).version()
    put(tmp_path, {1: "by another"}, "file_id = 1")
    with pytest.raises(CommitFailedError):
        put(tmp_path, {1: "late"}, "file_id = 1", version=seen)
    assert rows_of(tmp_path) == {1: "by another"}


def test_thousands_of_changed_files_among_unchanged_ones_are_one_condition(tmp_path: Path) -> None:
    put(tmp_path, dict.fromkeys(range(20_000), "old"), "file_id >= 0")
    changed = [*range(1, 12_000, 2), *range(15_000, 16_000)]
    file = RawFile("/raw/a.csv", 1, datetime(2026, 1, 1))
    inventory = Inventory(
        dict.fromkeys(changed, file), {}, {}, unchanged=1, gone=1, dropped=[19_999], largest_known=19_999
    )
    put(tmp_path, dict.fromkeys(changed, "new"), inventory.replaced())
    found = rows_of(tmp_path)
    assert {file_id for file_id, reading in found.items() if reading == "new"} == set(changed)
    assert len(found) == 19_999
