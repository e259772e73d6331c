"""The readable end of a night, from tables small enough to know every number."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import UTC, date, datetime

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType
from rich.console import Console

from nightreel.errors import DataError, TableError
from nightreel.report import NightReport, gather, night, render, show
from nightreel.settings import TablesSettings
from nightreel.tables.schemas import ID, SCHEMAS
from nightreel.tables.tables import Tables

NIGHT = date(2005, 12, 31)
LONG_TITLE = "The Unabridged Chronicle of a Starship That Missed Its Turning and Would Not Ask the Way"

KNOWN, SPARSE, WITHOUT, OTHER = 7, 3, 5, 12
"""Users: 25 training rows; 5 of them; 30 but no recommendations; 25 and a larger id."""
TRAIN_ROWS = {SPARSE: 5, WITHOUT: 30, KNOWN: 25, OTHER: 25}


def write(tables: Tables, table: str, rows: list[tuple[object, ...]]) -> None:
    """The rows as a Delta table, without Spark: the fixture has ten tables, and Spark takes seconds for each."""
    schema = SCHEMAS[table]
    types = ", ".join(f"`{name}` {'bigint' if kind == ID else kind}" for name, kind in schema.columns.items())
    arrow = to_arrow_schema(StructType.fromDDL(types), timezone="UTC")
    columns = [pa.array(values, field.type) for values, field in zip(zip(*rows, strict=True), arrow, strict=True)]
    write_deltalake(tables.path(table), pa.table(columns, schema=arrow), partition_by=[*schema.partitions])


def at(hour: int) -> datetime:
    return datetime(2005, 12, 31, hour, tzinfo=UTC)


def run(run_id: str, model: str, hour: int) -> tuple[object, ...]:
    return (run_id, NIGHT, model, "{}", 1, 0, "p", "0", at(hour), at(hour), "done", "factors", "{}")


def metrics(run_id: str, model: str, values: dict[str, float], day: date = NIGHT) -> list[tuple[object, ...]]:
    return [(run_id, day, model, "test", metric, value, 8) for metric, value in values.items()]


@pytest.fixture(scope="module")
def tables(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Tables:
    root = str(tmp_path_factory.mktemp("night"))
    contents: dict[str, list[tuple[object, ...]]] = {}
    written = Tables(spark, TablesSettings(root=root, catalog="", dataset="demo"))
    contents["bronze_ratings"] = [(1, 100, 3.0, at(1), file_id) for file_id in [0] * 90 + [1] * 20]
    broken = ["not a calendar date"] + ["rating outside the scale"] * 3
    contents["bronze_quarantine"] = [(0, n, "?", reason) for n, reason in enumerate(broken)]
    contents["silver_users"] = [(n, user, 30, 3.5) for n, user in enumerate(TRAIN_ROWS)]
    titles = {0: LONG_TITLE, 2: None}
    film = (2000, None, None, None, None)
    contents["silver_items"] = [
        (n, 100 + n, 50 - n, 3.5, titles.get(n, f"Film {n}, the [Sequel]"), *film) for n in range(40)
    ]
    # Of 25 rows the first three have five stars, the others three; film 0 is the most popular.
    train = [
        (index, item, 5.0 if item < 3 else 3.0, at(1), "train")
        for index, count in enumerate(TRAIN_ROWS.values())
        for item in range(count)
    ]
    contents["silver_interactions"] = [*train, *[(2, item, 4.0, at(1), "test") for item in range(30, 38)]]
    runs = [run("mean1", "item_mean", 1), run("als1", "als", 2), run("als2", "als", 3), run("pop1", "popular", 4)]
    contents["gold_runs"] = runs
    contents["silver_match_rates"] = [
        ("no such title", False, 30, 0.75, 70, 0.7),
        ("title and year", True, 7, 0.175, 20, 0.2),
        ("TMDB id", True, 3, 0.075, 10, 0.1),
    ]
    measured = [
        ("als2", NIGHT, "als", "test", "loss@epoch3", 0.7, 8),  # left by a training, not one of the night's measures
        *metrics("mean1", "item_mean", {"rmse": 0.99, "mae": 0.8, "cold_rows": 0.0}),
        *metrics("als1", "als", {"rmse": 0.111, "mae": 0.111, "ndcg@10": 0.111}),
        *metrics("als2", "als", {"rmse": 0.83, "mae": 0.65, "ndcg@10": 0.2, "catalogue_coverage@10": 0.75}),
        *metrics("pop1", "popular", {"ndcg@10": 0.25, "catalogue_coverage@10": 0.05}),
        *metrics("als1", "als", {"rmse": 0.222}, date(2005, 12, 30)),
    ]
    contents["gold_metrics"] = measured
    recommended = [
        ("als2", NIGHT, user, rank, 100 + 25 + rank, f"Pick {rank} for {user}", 5.0 - rank / 10)
        for user in (KNOWN, SPARSE, OTHER)
        for rank in range(1, 6)
    ]
    contents["gold_recommendations"] = recommended
    for table, rows in contents.items():
        write(written, table, rows)
    return written


@pytest.fixture(scope="module")
def report(tables: Tables) -> NightReport:
    return gather(tables, run_date=NIGHT)


def text_of(report: NightReport, *options: str, pairs: str | None = None) -> str:
    stream = io.StringIO()
    show(report, options=options, pairs=pairs, stream=stream)
    return stream.getvalue()


def test_counts_every_row_once(report: NightReport) -> None:
    assert (report.files, report.good, report.kept, report.users, report.items) == (2, 110, 93, 4, 40)
    assert list(report.rejected.items()) == [("rating outside the scale", 3), ("not a calendar date", 1)]
    assert report.splits == {"train": 85, "test": 8}
    lines = [" ".join(line.split()) for line in text_of(report).splitlines()]
    for expected in ("found in the metadata, of 40 items 10", "title and year 7", "no such title 30"):
        assert expected in lines
    for expected in ("rows in, from 2 files 114", "rejected 4", "rating outside the scale 3"):
        assert expected in lines
    for expected in ("left out as repeated or too sparse 17", "kept, 4 users x 40 items 93", "train 85", "test 8"):
        assert expected in lines


def test_takes_each_models_newest_run_of_the_night(report: NightReport) -> None:
    assert {model: metrics.get("rmse") for model, metrics in report.scores.items()} == {
        "item_mean": 0.99,
        "als": 0.83,
        "popular": None,
    }


def test_marks_the_best_of_every_column_and_lists_means_first(report: NightReport) -> None:
    text = text_of(report)
    rows = [re.sub(r" +", " ", line).strip() for line in text.splitlines()]
    table = [row for row in rows if row.startswith(("item_mean", "als", "popular"))]
    assert table == [
        "item_mean 0.9900 0.8000 - -",
        "als 0.8300 * 0.6500 * 0.2000 0.7500 *",
        "popular - - 0.2500 * 0.0500",
    ]
    assert "held-out ratings (test)" in text
    assert "RMSE" in text and "nDCG@10" in text and "coverage@10" in text


def test_shows_the_first_user_known_well_enough(report: NightReport) -> None:
    assert report.user.user_id == KNOWN
    assert report.user.ratings == 25
    assert report.user.model == "als"
    assert report.user.recommended == [f"Pick {rank} for {KNOWN}" for rank in range(1, 6)]


def test_best_liked_come_first_and_among_equals_the_rarer_film(report: NightReport) -> None:
    assert [title for title, _ in report.user.liked[:4]] == [
        "item 102",
        "Film 1, the [Sequel]",
        LONG_TITLE,
        "Film 24, the [Sequel]",
    ]
    assert [rating for _, rating in report.user.liked] == [5.0] * 3 + [3.0] * 7


def test_shows_the_user_given(tables: Tables) -> None:
    train = tables.read("silver_interactions").where(F.col("split") == "train")
    picture = night._picture(tables, train, NIGHT, OTHER)
    assert picture.user_id == OTHER
    assert picture.recommended[0] == f"Pick 1 for {OTHER}"


def test_is_plain_text_of_a_hundred_columns(report: NightReport) -> None:
    text = text_of(report, "--set", "data.path=/a folder/dump")
    tables_and_commands = text.index("\nTables\n")
    assert "\x1b" not in text
    assert max(map(len, text[:tables_and_commands].splitlines())) <= 100
    assert LONG_TITLE[:30] in text and LONG_TITLE not in text
    assert "Film 24, the [Sequel]" in text


def test_commands_stay_whole_however_long(report: NightReport) -> None:
    text = text_of(report, "--set", "data.path=/a folder/dump", pairs="/a folder/dump/qualifying.txt")
    lines = [line.strip() for line in text.splitlines()]
    expected = "./spark-submit.sh nightly --run-date 2006-01-01 --set 'data.path=/a folder/dump'"
    assert expected in lines
    assert f"{expected} --set models.als.rank=32".replace("2006-01-01", "2005-12-31") in lines
    score = "./spark-submit.sh score --model als --pairs '/a folder/dump/qualifying.txt'"
    assert f"{score} --set 'data.path=/a folder/dump'" in lines
    assert any(line.endswith("demo/gold_recommendations`") for line in lines)


def test_renders_in_colour_on_a_terminal(report: NightReport) -> None:
    stream = io.StringIO()
    Console(file=stream, force_terminal=True, color_system="standard", width=100).print(render(report))
    assert "\x1b[1;32m0.8300 *" in stream.getvalue()


def test_prints_on_a_stream_that_lacks_the_letters(report: NightReport) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    show(report, stream=stream)
    stream.flush()
    assert b"Pick 1 for 7" in stream.buffer.getvalue()  # type: ignore[attr-defined]


def test_escapes_control_characters_of_titles_and_ids(report: NightReport) -> None:
    user = replace(
        report.user,
        user_id="a\x1b[2Jb",
        liked=[("Clear\x1b[2J it\x9b1m\r\n", 5.0)],
        recommended=["Turn\u202e it\t\x07"],
    )
    text = text_of(replace(report, user=user), pairs="/a\x1bb/qualifying.txt")
    assert not set(text) & set("\x1b\x9b\r\t\x07\u202e")
    for escaped in (
        "Clear\\x1b[2J it\\x9b1m\\r\\n",
        "Turn\\u202e it\\t\\x07",
        "User a\\x1b[2Jb,",
        "/a\\x1bb/qualifying.txt",
    ):
        assert escaped in text


def test_a_date_or_user_without_recommendations_is_one_line(tables: Tables) -> None:
    with pytest.raises(DataError, match=r"none on 1999-01-01; the recommend job writes them$"):
        gather(tables, run_date=date(1999, 1, 1))
    with pytest.raises(DataError, match=f"none for user {WITHOUT} on 2005-12-31"):
        gather(tables, run_date=NIGHT, user=WITHOUT)


def test_no_tables_is_one_line(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> None:
    root = str(tmp_path_factory.mktemp("empty"))
    with pytest.raises(TableError, match="no such table; prepare writes it"):
        gather(Tables(spark, TablesSettings(root=root, catalog="", dataset="demo")), run_date=NIGHT)
