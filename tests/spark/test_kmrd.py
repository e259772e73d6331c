"""KMRD, with what trips a parser, to bronze tables."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from nightreel.settings import Settings, load
from nightreel.sources import ingest
from nightreel.sources.datasets.kmrd import KMRD, NO_NAME, NOT_A_PLACE, NOT_A_YEAR, NOT_LEADING
from nightreel.sources.judging import NOT_AN_ID, REPEATED
from nightreel.sources.lines.rating_lines import Reason
from nightreel.sources.records import RecordReason
from nightreel.tables.tables import Tables

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
FILES = {
    "rates.csv": "user,movie,rate,time\n0,1,7,1494128040\n0,1,8,1494128041\n1,2,11,1494128040\n1,2,10,1576525860\n",
    "movies.txt": (
        "movie\ttitle\ttitle_eng\tyear\tgrade\n1\t시네마 천국\tCinema Paradiso , 1988\t2013\t전체 관람가\n"
        "2\t1941\t1979\t\tPG\n3\t영환도사\t靈幻道士\t1987\t\r\n4\t\t\t\t\n5\t아폴로 13\tOne, Two , 1995\t1995\tPG\n"
        "6\t \"인용\t\"Quoted\"\t1990\tPG\nx\t무\t\t\t\n1\t다시\t\t\t\n7\t칠\t\t열\t\n8\t팔\t\n"
    ),
    "genres.csv": "movie,genre\n1,드라마\n1,멜로/로맨스\n1,드라마\n9,SF\n2,\n",
    "countries.csv": "movie,country\n1,이탈리아\n1,프랑스\n",
    "castings.csv": (
        "movie,people,order,leading \n1,10,2,0\n1,11,1,1\n1,12,10,0\n1,13,3,1\n1,10,4,1\n"
        "1,11,x,1\n1,11,5,2\n,11,5,1\n"
    ),
    "peoples.txt": (
        "people\tkorean\toriginal\n10\t자끄 페렝\tJacques Perrin\n11\t\tBrigitte Fossey\n13\t필립 느와레\t\n"
        "14\t\t\n10\t또\t\n"
    ),
}  # fmt: skip


def load_settings(path: Path, *overrides: str) -> Settings:
    return load("local", ["data.source=kmrd", f'data.path="{path}"', *overrides])


def films(spark: SparkSession, folder: Path) -> tuple[dict[int, Row], dict[str, str], int]:
    """The films by id, the rejects of their files by line, and how many records are good."""
    source = KMRD(load_settings(folder))
    described = source.items(spark, dict(enumerate(source.find().items, 1)))
    described.records.persist()
    rows, lines = described.rows.collect(), described.lines.collect()
    described.records.unpersist()
    rejects = {row["line"]: row["reason"] for row in lines if row["reason"] is not None}
    return {row["item_id"]: row for row in rows}, rejects, sum(row["lines"] for row in lines if row["reason"] is None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_bytes(text.encode())
    return tmp_path


def test_six_files_become_one_row_a_film(spark: SparkSession, folder: Path) -> None:
    rows, rejects, good = films(spark, folder)
    titles = ("title", "other_title", "year", "other_year", "grade")
    assert {item_id: tuple(row[name] for name in titles) for item_id, row in rows.items()} == {
        1: ("시네마 천국", "Cinema Paradiso", 2013, 1988, "전체 관람가"),
        2: ("1941", None, None, 1979, "PG"),
        3: ("영환도사", "靈幻道士", 1987, None, None),
        4: (None, None, None, None, None),
        5: ("아폴로 13", "One, Two", 1995, 1995, "PG"),
        6: ('"인용', '"Quoted"', 1990, None, "PG"),
        9: (None, None, None, None, None),
    }
    first = rows[1]
    assert (first["genres"], first["countries"]) == (["드라마", "멜로/로맨스"], ["이탈리아", "프랑스"])
    assert first["cast"] == ["Brigitte Fossey", "자끄 페렝", "필립 느와레", "12"]
    assert first["leading"] == ["Brigitte Fossey", "필립 느와레", "자끄 페렝"]
    assert (rows[9]["genres"], rows[2]["cast"]) == (["SF"], [])
    assert rejects == {
        "x\t무": NOT_AN_ID,
        "1\t다시": REPEATED,
        "7\t칠\t\t열": NOT_A_YEAR,
        "8\t팔": RecordReason.FIELDS,
        "2,": NO_NAME,
        "1,11,x,1": NOT_A_PLACE,
        "1,11,5,2": NOT_LEADING,
        ",11,5,1": NOT_AN_ID,
        "14": NO_NAME,
        "10\t또": REPEATED,
    }
    assert good == 6 + 4 + 2 + 5 + 3


def test_the_real_films(spark: SparkSession, real_data: Path) -> None:
    rows, rejects, good = films(spark, real_data / "kmrd-small")
    assert (len(rows), rejects, good) == (999, {}, 999 + 2_025 + 1_109 + 9_776 + 7_172)
    first = rows[10_001]
    assert (first["title"], first["other_title"], first["other_year"]) == ("시네마 천국", "Cinema Paradiso", 1988)
    assert (first["cast"][:2], len(first["leading"])) == (["자끄 페렝", "브리지트 포시"], 4)
    assert sum(row["year"] is None for row in rows.values()) == 390
    assert sum(row["other_year"] is not None for row in rows.values()) == 990
    assert sum(row["cast"] != [] for row in rows.values()) == 988


@settings(max_examples=3, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None)
@given(st.data())
def test_no_good_record_is_lost_among_mutated_ones(
    spark: SparkSession, real_data: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Mutated lines of every file, which never break a line in two, are good records or rejects."""
    folder = tmp_path_factory.mktemp("kmrd")
    (folder / "rates.csv").write_text(FILES["rates.csv"])
    given_lines = 0
    for name in (name for name in FILES if name != "rates.csv"):
        header, *lines = (real_data / "kmrd-small" / name).read_bytes().splitlines()[:121]
        junk = st.binary(max_size=4).map(lambda junk: junk.replace(b'"', b"'").replace(b"\n", b","))
        cuts = data.draw(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 9), junk), min_size=20, max_size=20))
        mutated = [line[:at] + junk + line[at + gone :] for line, (at, gone, junk) in zip(lines, cuts, strict=False)]
        (folder / name).write_bytes(b"\n".join([header, *lines[20:], *mutated]))
        given_lines += sum(1 for line in (*lines[20:], *mutated) if line.strip(b" \t\r\x0b\x0c") or b"\t" in line)
    source = KMRD(load_settings(folder))
    counted = source.items(spark, dict(enumerate(source.find().items, 1))).lines.groupBy("reason").sum("lines")
    lines_by_reason = {row[0]: row[1] for row in counted.collect()}
    assert sum(lines_by_reason.values()) == given_lines
    assert lines_by_reason[None] >= 5 * 100


def test_rates_go_into_bronze_as_delivered_repeats_included(spark: SparkSession, folder: Path) -> None:
    chosen = load_settings(folder, f"tables.root={folder / 'tables'}", "ingest.max_reject_share=1.0")
    tables = Tables(spark, chosen.tables)
    report = ingest(tables, chosen, ingested_at=NOW)
    ratings = tables.read("bronze_ratings").select("user_id", "item_id", "rating", F.unix_seconds("rated_at"))
    assert sorted(tuple(row) for row in ratings.collect()) == [
        (0, 1, 7.0, 1_494_128_040),
        (0, 1, 8.0, 1_494_128_041),
        (1, 2, 10.0, 1_576_525_860),
    ]
    assert (report.rows_in, report.rows_kept, report.items) == (4, 3, 20)
    assert (report.rejects[Reason.SCALE], sum(report.rejects.values())) == (1, 1 + 10)
    assert tables.read("bronze_items").count() == 7
