"""Films' metadata to bronze_metadata: what their files tell together, and what an ingest makes of them."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from nightreel.errors import DataError
from nightreel.settings import Settings, load
from nightreel.sources import ingest
from nightreel.sources.metadata import KEPT_WITHOUT, find_metadata, read_metadata
from nightreel.sources.records import RecordReason
from nightreel.sources.survey import good_lines, rejects, take_survey
from nightreel.tables.schemas import SCHEMAS
from nightreel.tables.tables import Tables

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
FILMS = (
    b"id,title,overview,genres,release_date,vote_count,imdb_id\n"
    b"""949,Heat,"A master\nthief","[{'id': 1, 'name': 'Crime'}]",1995-12-15,1886,tt0113277\n"""
    b"1,Broken\n in two,,[],,0,\n"
    b"""129,Spirited Away,,"[{'name': ",2001-07-20,3968,\n"""
    b"949,Heat,,[],1995-12-15,1886,\n"
)
TMDB = b"""title,keywords,id,genres,overview,release_date\r\nRonin,"[{""name"": ""thief""}]",8195,[],,1998-09-25\r\n"""
CREDITS = (
    b"cast,crew,id\n"
    b"""[],"[{'name': 'Michael Mann', 'job': 'Director'}]",949\n"""
    b"""\"[{'name': 'Robert De Niro'}, {'name': 'Jean Reno'}]","[{'name': 'Bob', 'job': 'Editor'}]",8195\n"""
    b"""\"[{'name': 'Somebody'}]",[],949\n"""
)
KEYWORDS = b"""id,keywords\n949,"[{'id': 2, 'name': 'robbery'}]"\n8195,"[{'name': 'car'}]"\n"""


def settings_of(folder: Path, *overrides: str) -> Settings:
    paths = [f'data.path="{folder}/dump"', f'metadata.path="{folder}"', f'tables.root="{folder}/tables"']
    return load("local", [*paths, *overrides])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = {"movies_metadata": FILMS, "tmdb_5000_movies": TMDB, "credits": CREDITS, "keywords": KEYWORDS}
    for name, data in files.items():
        (tmp_path / f"{name}.csv").write_bytes(data)
    (tmp_path / "dump").mkdir()
    (tmp_path / "dump" / "combined_data_1.txt").write_bytes(b"1:\n10,3,2005-09-06\n")
    return tmp_path


def test_an_ingest_brings_films_and_quarantines_what_is_broken(spark: SparkSession, folder: Path) -> None:
    settings = settings_of(folder, "ingest.max_reject_share=0.2")
    tables = Tables(spark, settings.tables)
    report = ingest(tables, settings, ingested_at=NOW)
    rows = tables.read("bronze_metadata").orderBy("metadata_id", F.length("overview"))
    assert [tuple(row) for row in rows.select("metadata_id", "title", "year", "genres", "vote_count").collect()] == [
        (129, "Spirited Away", 2001, None, 3968),
        (949, "Heat", 1995, [], 1886),
        (949, "Heat", 1995, ["Crime"], 1886),
        (8195, "Ronin", 1998, [], None),
    ]
    heat = (["robbery"], [], ["Michael Mann"])
    ronin = (["thief"], ["Robert De Niro", "Jean Reno"], [])
    told = rows.select("keywords", "cast", "directors").collect()
    assert [tuple(row) for row in told] == [(None, None, None), heat, heat, ronin]
    assert rows.columns == list(SCHEMAS["bronze_metadata"].columns)
    quarantined = tables.read("bronze_quarantine").orderBy("position").select("position", "line", "reason").collect()
    broken, unread = FILMS.index(b"1,Broken"), FILMS.index(b"129,")
    assert [(row.position, row.reason) for row in quarantined] == [
        (broken, RecordReason.FIELDS),
        (broken + 9, RecordReason.FIELDS),
        (unread, KEPT_WITHOUT.format(column="genres")),
    ]
    assert (report.metadata, sum(report.rejects.values()), report.lines_in) == (9, 2, 12)
    kinds = tables.read("bronze_files").groupBy("kind").count().collect()
    assert {row["kind"]: row["count"] for row in kinds} == {"ratings": 1, "metadata": 4}


def test_too_many_broken_rows_stop_an_ingest(spark: SparkSession, folder: Path) -> None:
    settings = settings_of(folder)
    with pytest.raises(DataError, match=r"2 of 11 lines \(18\.18%\) are rejects.*1,Broken.*movies_metadata\.csv"):
        ingest(Tables(spark, settings.tables), settings, ingested_at=NOW)


def test_the_real_file_row_for_row(spark: SparkSession, real_data: Path) -> None:
    path = real_data / "movies-metadata" / "movies_metadata.csv"
    settings = load("local", [f'metadata.path="{path}"'])
    described = read_metadata(spark, dict(enumerate(find_metadata(settings.metadata), 1)), settings.ingest)
    tallies, _ = take_survey(described.lines.withColumn("written", F.lit(None).cast("string")))
    with path.open(encoding="utf-8", newline="") as text:
        expected = [(int(row["id"]), " ".join(row["title"].split())) for row in csv.DictReader(text)]
    assert (good_lines(tallies), dict(rejects(tallies))) == (2_996, {})
    found = described.rows.select("metadata_id", "title").collect()
    assert sorted(map(tuple, found)) == sorted(expected)
