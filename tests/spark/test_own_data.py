"""A user's own data, in every format it may have, through ingest: what is kept, and what is quarantined and why."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from nightreel.errors import ConfigurationError, DataError
from nightreel.prepare.filters import deduplicate
from nightreel.settings import load
from nightreel.sources import IngestReport, ingest
from nightreel.sources.delimited.values import Reason
from nightreel.sources.own import OwnData
from nightreel.sources.own.ids import is_number
from nightreel.tables.tables import Tables

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
MARCH = datetime(2021, 3, 4, tzinfo=UTC)
COLUMNS = [
    "data.columns.user=who",
    "data.columns.item=what",
    "data.columns.rating=stars",
    "data.columns.time=at",
    "scale.lowest=0",
    "scale.highest=10",
    "ingest.max_reject_share=1.0",
]


class Place:
    """A folder of own data and the tables ingested from it."""

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        self.spark, self.folder, self.raw = spark, folder, folder / "my data"
        self.raw.mkdir()

    def settings(self, *overrides: str) -> list[str]:
        return [f'data.path="{self.raw}"', f'tables.root="{self.folder}/tables"', *overrides]

    def ingest(self, *overrides: str, source: str = "own") -> IngestReport:
        settings = load("local", [f"data.source={source}", *self.settings(*overrides)])
        self.tables = Tables(self.spark, settings.tables)
        return ingest(self.tables, settings, ingested_at=NOW)

    def ratings(self) -> list[tuple[object, ...]]:
        at = F.unix_seconds("rated_at")
        rows = self.tables.read("bronze_ratings").select("user_id", "item_id", "rating", at)
        return sorted((tuple(row) for row in rows.collect()), key=str)

    def quarantined(self) -> list[tuple[int, str, str]]:
        rows = self.tables.read("bronze_quarantine").orderBy("file_id", "position", "line")
        return [(row.position, row.line, row.reason) for row in rows.collect()]


@pytest.fixture
def place(spark: SparkSession, tmp_path: Path) -> Place:
    return Place(spark, tmp_path)


def test_csv_and_tsv_with_text_ids(place: Place) -> None:
    text = (
        'note,who,what,stars,at\n"a, b",anna,"Heat, 1995",7.5,2021-03-04\n,bob,x1,11,2021-03-04\n,,x1,3,\n'
        ",bob,x1,3,never\n,bob,x1,3,\r\n,bob\n"
    )
    (place.raw / "1.csv").write_text(text)
    (place.raw / "2.tsv.gz").write_bytes(gzip.compress(b"what\twho\tstars\tat\nx1\t007\t1\t1614816000000\n"))
    report = place.ingest(*COLUMNS)
    assert place.ratings() == [
        ("007", "x1", 1.0, int(MARCH.timestamp())),
        ("anna", "Heat, 1995", 7.5, int(MARCH.timestamp())),
        ("bob", "x1", 3.0, None),
    ]
    assert place.quarantined() == [
        (text.index(f"{line}\n"), line, reason)
        for line, reason in [
            (",bob,x1,11,2021-03-04", Reason.SCALE),
            (",,x1,3,", Reason.NO_USER),
            (",bob,x1,3,never", Reason.TIME),
            (",bob", Reason.FIELDS),
        ]
    ]
    assert (report.rows_in, report.rows_kept) == (7, 3)


def test_json_lines_beside_parquet_with_whole_numbers(place: Place) -> None:
    lines = [
        '{"who": 1, "what": 2, "stars": 3.5, "at": 1614816000, "more": {}}',
        '{"who": 1, "what": "3", "stars": "4"}',
        '{"who": null, "what": 2, "stars": 3}',
        "[1, 2, 3]",
    ]
    (place.raw / "a.jsonl").write_text("\n".join(lines))
    rows = [(5, 6, 7.0, MARCH), (5, None, 7.0, MARCH), (5, 7, None, None), (6, 7, 99.0, None), (6, 8, 0.0, None)]
    frame = place.spark.createDataFrame(rows, "who int, what bigint, stars double, at timestamp").coalesce(1)
    frame.write.parquet(str(place.raw / "parts"))
    folder = f'data.path=["{place.raw}", "{place.raw}/parts"]'
    report = place.ingest(*COLUMNS, folder)
    assert place.ratings() == [
        (1, 2, 3.5, int(MARCH.timestamp())),
        (1, 3, 4.0, None),
        (5, 6, 7.0, int(MARCH.timestamp())),
        (6, 8, 0.0, None),
    ]
    told = place.quarantined()
    assert [(position, reason) for position, _, reason in told] == [
        (sum(len(line) + 1 for line in lines[:2]), Reason.NO_USER),
        (sum(len(line) + 1 for line in lines[:3]), Reason.JSON),
        (1, Reason.NO_ITEM),
        (2, Reason.RATING),
        (3, Reason.SCALE),
    ]
    assert json.loads(told[4][1]) == {"who": 6, "what": 7, "stars": 99.0, "at": None}
    assert (report.rows_in, report.rows_kept) == (9, 4)


def test_a_delta_table_is_read_again_only_when_it_has_changed(place: Place) -> None:
    schema = "who string, what string, stars string, at string"
    first = place.spark.createDataFrame([(" anna ", "x", "4", "1614816000"), ("", "x", "4", None)], schema)
    path = f"{place.raw}/liked"
    first.coalesce(1).write.format("delta").save(path)
    report = place.ingest(*COLUMNS, f'data.path="{path}"')
    assert place.ratings() == [("anna", "x", 4.0, int(MARCH.timestamp()))]
    assert [reason for *_, reason in place.quarantined()] == [Reason.NO_USER]
    assert place.ingest(*COLUMNS, f'data.path="{path}"').files_unchanged == 1
    more = place.spark.createDataFrame([("bob", "x", "five", ""), ("bob", "y", "5", "2021-03-04T00:00")], schema)
    more.coalesce(1).write.format("delta").mode("append").save(path)
    report = place.ingest(*COLUMNS, f'data.path="{path}"')
    assert (report.files_read, report.rows_in, report.rows_kept) == (1, 4, 2)
    assert place.ratings()[1] == ("bob", "y", 5.0, int(MARCH.timestamp()))


def test_a_table_in_the_catalog_and_items_of_any_kind(place: Place) -> None:
    place.spark.sql(
        "CREATE TABLE default.own_ratings USING delta AS SELECT 1L who, 2 what, 3 stars, date'2021-03-04' at"
    )
    (place.raw / "items.csv").write_text("id,name,made,kinds\n2,Heat,1995,Crime|Drama\nx,No,1,\n2,Again,,\n3,,soon,\n")
    (place.raw / "items.jsonl").write_text('{"id": 2, "name": "Heat", "made": 1995, "kinds": ["Crime", "Drama"]}\n{\n')
    rows = [(2, "Heat", 1995, ["Crime", "Drama"])]
    place.spark.createDataFrame(rows, "id int, name string, made int, kinds array<string>").coalesce(1).write.parquet(
        str(place.raw / "items")
    )
    names = ["item=id", "title=name", "year=made", "genres=kinds"]
    for file, rejects in [("items.csv", 2), ("items.jsonl", 1), ("items", 0)]:
        items = [f'data.items="{place.raw}/{file}"', *(f"data.item_columns.{name}" for name in names)]
        report = place.ingest(*COLUMNS, "data.path=default.own_ratings", *items)
        assert place.ratings() == [(1, 2, 3.0, int(MARCH.timestamp()))]
        read = place.tables.read("bronze_items").select("item_id", "title", "year", "genres").orderBy("item_id")
        assert tuple(read.collect()[0]) == (2, "Heat", 1995, ["Crime", "Drama"])
        assert sum(report.rejects.values()) == rejects
    place.spark.sql("DROP TABLE default.own_ratings")


def test_events_that_repeat_add_up(place: Place) -> None:
    (place.raw / "clicks.csv").write_text("who,what,weight\nanna,x,1\nanna,x,2.5\nanna,y,0\nbob,x,1e-60\nbob,y,1\n")
    columns = COLUMNS[:2]
    share = "ingest.max_reject_share=1.0"
    place.ingest(*columns, "data.columns.rating=weight", share, source="events")
    assert [reason for *_, reason in place.quarantined()] == [Reason.WEIGHT, Reason.WEIGHT]
    summed = deduplicate(place.tables.read("bronze_ratings"), rule="sum").orderBy("user_id").collect()
    assert [(row.user_id, row.item_id, row.rating) for row in summed] == [("anna", "x", 3.5), ("bob", "y", 1.0)]
    place.ingest(*columns, share, source="events")
    assert {row[2] for row in place.ratings()} == {1.0}
    assert len(place.ratings()) == 5


def test_ids_that_become_text_are_read_again_as_text(place: Place) -> None:
    (place.raw / "1.csv").write_text("who,what,stars,at\n1,2,3,\n")
    place.ingest(*COLUMNS)
    assert place.ratings() == [(1, 2, 3.0, None)]
    (place.raw / "2.csv").write_text("who,what,stars,at\nanna,2,3,\n")
    assert place.ingest(*COLUMNS).files_read == 2
    assert place.ratings() == [("1", "2", 3.0, None), ("anna", "2", 3.0, None)]


def test_a_table_that_is_not_there(place: Place) -> None:
    with pytest.raises(ConfigurationError, match=r"data\.path: main\.ratings: neither a file or folder nor a table"):
        place.ingest(*COLUMNS, "data.path=main.ratings")


def test_one_text_id_among_many_numbers_is_no_reject(place: Place) -> None:
    """Wherever it lies, in the first file or in one that comes later."""

    def write(name: str, *of_text: str) -> None:
        lines = [f"{number},{number},1\n" for number in range(50_000)]
        (place.raw / name).write_text("who,what,stars\n" + "".join([*lines[:30_000], *of_text, *lines[30_000:]]))

    columns = [*COLUMNS[:3], "data.columns.time="]
    write("1.csv")
    place.ingest(*columns)
    assert dict(place.tables.read("bronze_ratings").dtypes)["user_id"] == "bigint"
    write("2.csv", "anna,7,1\n")
    assert place.ingest(*columns).files_read == 2
    ratings = place.tables.read("bronze_ratings")
    assert dict(ratings.dtypes)["user_id"] == "string"
    assert (ratings.count(), ratings.where("user_id = 'anna'").count()) == (100_001, 1)
    assert place.quarantined() == []
    (place.raw / "3.csv").write_text("who,what,stars\n5,7,2\n")
    assert place.ingest(*columns).files_read == 1
    assert place.tables.read("bronze_ratings").where("user_id = '5'").count() == 3


def test_items_that_change_alone_leave_ratings_with_text_ids_as_they_are(place: Place) -> None:
    (place.raw / "r.csv").write_text("who,what,stars\nanna,1,3\n")
    items = place.folder / "items.csv"
    named = [*COLUMNS[:3], *COLUMNS[4:], f'data.items="{items}"', "data.item_columns.item=id"]
    for title in ("Heat", "Ronin"):
        items.write_text(f"id,title\n1,{title}\n")
        place.ingest(*named)
        assert place.ratings() == [("anna", "1", 3.0, None)]
        assert [tuple(row) for row in place.tables.read("bronze_items").select("item_id", "title").collect()] == [
            ("1", title)
        ]


def test_text_ids_are_refused_where_rows_stay_that_cannot_be_read_again(place: Place) -> None:
    keep = [*COLUMNS, "ingest.gone=keep"]
    (place.raw / "1.csv").write_text("who,what,stars,at\n1,2,3,\n")
    place.ingest(*keep)
    (place.raw / "1.csv").rename(place.raw / "2.csv")
    (place.raw / "2.csv").write_text("who,what,stars,at\nanna,2,3,\n")
    with pytest.raises(
        DataError, match=r'^ids were numbers and are text now.* 1 that are gone .*ingest\.gone = "drop"'
    ):
        place.ingest(*keep)
    assert place.ratings() == [(1, 2, 3.0, None)]
    place.ingest(*COLUMNS)
    assert place.ratings() == [("anna", "2", 3.0, None)]


@pytest.mark.parametrize("table", ["bronze_quarantine", "bronze_ratings", "bronze_items", "bronze_files"])
def test_ids_that_became_text_in_a_run_that_was_cut_off_leave_nothing_behind(
    place: Place, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    items = place.folder / "items.csv"
    items.write_text("id,title\n1,Heat\nx9,Ronin\n")
    named = [*COLUMNS[:3], *COLUMNS[4:], f'data.items="{items}"', "data.item_columns.item=id"]
    (place.raw / "1.csv").write_text("who,what,stars\n1,1,3\n")
    place.ingest(*named)
    assert [line for _, line, _ in place.quarantined()] == ["x9,Ronin"]
    (place.raw / "2.csv").write_text("who,what,stars\nanna,1,3\n")
    with monkeypatch.context() as planted:
        for way in ("replace", "put"):
            write = getattr(Tables, way)

            def cut_off(self: Tables, name: str, *rows: object, write: Any = write, **more: object) -> None:
                if name == table:
                    raise RuntimeError("the lights went out")
                write(self, name, *rows, **more)

            planted.setattr(Tables, way, cut_off)
        planted.setattr(Tables, "folder_for_files", lambda *_: None)
        with pytest.raises(RuntimeError, match="the lights went out"):
            place.ingest(*named)
    place.ingest(*named)
    assert [row[:2] for row in place.ratings()] == [("1", "1"), ("anna", "1")]
    assert {row["item_id"] for row in place.tables.read("bronze_items").collect()} == {"1", "x9"}
    assert place.quarantined() == []
    files = place.tables.read("bronze_files").where("kind = 'items'").select("rows", "rejected").collect()
    assert [tuple(row) for row in files] == [(2, 0)]


@pytest.mark.parametrize("ingested_before", [False, True])
def test_a_damaged_file_is_named(place: Place, ingested_before: bool) -> None:
    columns = [*COLUMNS[:3], "data.columns.time="]
    (place.raw / "1.csv").write_text("who,what,stars\n1,1,3\n")
    if ingested_before:
        place.ingest(*columns)
    lines = "".join(f"{number},{number * 7919 % 10_007},3\n" for number in range(200_000))
    packed = gzip.compress(f"who,what,stars\n{lines}".encode())
    (place.raw / "2.csv.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(DataError, match=r"2\.csv\.gz: "):
        place.ingest(*columns)
    if ingested_before:
        assert place.ratings() == [(1, 1, 3.0, None)]


def settled(place: Place, name: str) -> str:
    """The type of the ids that a file of events makes."""
    path = place.raw / name
    source = OwnData(load("local", ["data.source=events", f'data.path="{path}"', *COLUMNS[:2]]))
    source.settle(place.spark, dict(enumerate(source.find().ratings)))
    return dict(source.items(place.spark, {}).rows.dtypes)["item_id"]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("1,2\n3,9223372036854775807\n", "bigint"),
        ("1,2\n3,9223372036854775808\n", "string"),
        ("1,2\n03,4\n", "string"),
        ("1,2\nx,4\n", "string"),
        ("1,2\n-3,4\n", "string"),
        ('"1","0"\nbroken\n,,,\n', "bigint"),
        ("", "bigint"),
    ],
)
def test_ids_are_numbers_where_all_read_as_such(place: Place, text: str, ids: str) -> None:
    (place.raw / "a.csv").write_text(f"who,what\n{text}")
    (place.raw / "b.csv.gz").write_bytes(gzip.compress(f"who,what\n{text}".encode()))
    assert [settled(place, name) for name in ("a.csv", "b.csv.gz")] == [ids, ids]


@pytest.mark.parametrize("first", [0, 70_000, 149_999])
def test_a_stretch_of_text_ids_is_met_wherever_it_lies(place: Place, first: int) -> None:
    lines = [f"{number},{number}\n" for number in range(150_000)]
    lines[first : first + 6_000] = ["anna,7\n"] * min(6_000, 150_000 - first)
    (place.raw / "a.csv").write_text("who,what\n" + "".join(lines))
    assert settled(place, "a.csv") == "string"


def test_which_ids_are_numbers(spark: SparkSession) -> None:
    texts = {"0": True, "12": True, "9223372036854775807": True, "9223372036854775808": False}
    texts |= {"012": False, "00": False, "-3": False, "+3": False, "1.0": False, "x": False, "1 2": False, "": False}
    told = spark.createDataFrame([(text,) for text in texts], "id string").select("id", is_number("id")).collect()
    assert dict(told) == texts


def test_parquet_files_of_any_name_and_of_different_types_are_all_read(place: Place) -> None:
    def write(name: str, who: list[object], stars: list[object]) -> None:
        pq.write_table(pa.table({"who": who, "what": ["1"] * len(who), "stars": stars}), place.raw / name)

    names = ["my ratings.parquet", "a%20b.parquet", "ä+#.parquet", "r[1].parquet", "r{1}.parquet", "plain.parquet"]
    for number, name in enumerate(names):
        write(name, [number], [number + 0.5])
    write("text.parquet", ["anna"], [3])
    write("float.parquet", [12345678.0, None], [4, 5])
    report = place.ingest(*COLUMNS[:3], *COLUMNS[4:])
    assert [row[0] for row in place.ratings()] == ["0", "1", "12345678", "2", "3", "4", "5", "anna"]
    assert place.quarantined()[0][2] == Reason.NO_USER
    assert (report.rows_in, report.rows_kept) == (9, 8)


def test_a_new_export_takes_the_place_of_one_that_is_gone_whatever_its_ids(place: Place) -> None:
    first = place.raw / "mon.csv"
    first.write_text("who,what\n1,1\n2,1\n")
    events = ["data.columns.user=who", "data.columns.item=what"]
    place.ingest(*events, source="events")
    first.unlink()
    (place.raw / "tue.csv").write_text("who,what\nanna,1\n2,1\n")
    report = place.ingest(*events, source="events")
    assert [row[:3] for row in place.ratings()] == [("2", "1", 1.0), ("anna", "1", 1.0)]
    assert report.files_gone == 1
    (place.raw / "tue.csv").unlink()
    (place.raw / "wed.csv").write_text("who,what\nanna,1\n")
    with pytest.raises(DataError, match=r"1 ratings where the last ingest left 2 \(50.0% fewer\)"):
        place.ingest(*events, "ingest.max_drop_share=0.4", source="events")


def test_an_items_file_has_columns_of_any_name_and_is_not_a_ratings_file(place: Place) -> None:
    (place.raw / "r.csv").write_text("who,what,stars\n1,007,3\n1,7,3\n")
    items = place.folder / "items.csv"
    items.write_text("line,position\n007,Bond\n7,Seven\n")
    named = ["data.item_columns.item=line", "data.item_columns.title=position"]
    place.ingest(*COLUMNS[:3], *COLUMNS[4:], f'data.items="{items}"', *named)
    titles = place.tables.read("bronze_items").select("item_id", "title").collect()
    assert sorted(map(tuple, titles)) == [("007", "Bond"), ("7", "Seven")]
    assert [row[1] for row in place.ratings()] == ["007", "7"]
    both = [f'data.items="{place.raw / "r.csv"}"', "data.item_columns.item=what", "data.item_columns.title="]
    with pytest.raises(ConfigurationError, match=r"is one of the files of data\.path"):
        place.ingest(*COLUMNS[:3], *COLUMNS[4:], *both)
