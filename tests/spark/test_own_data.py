"""A user's own data, in every format it may have, through ingest: what is kept, and what is quarantined and why."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from nightreel.settings import load
from nightreel.sources import IngestReport, ingest
from nightreel.sources.own.ratings import Reason
from nightreel.sources.own.rows import NoRecord
from nightreel.tables.tables import Tables

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
MARCH = datetime(2021, 3, 4, tzinfo=UTC)
SECONDS = int(MARCH.timestamp())
COLUMNS = [
    "data.columns.user=who",
    "data.columns.item=what",
    "data.columns.rating=stars",
    "data.columns.time=at",
    "scale.lowest=0",
    "scale.highest=10",
    "ingest.max_reject_share=1.0",
]
WITHOUT_TIME = [*COLUMNS[:3], "data.columns.time=", *COLUMNS[4:]]
EVENTS = [*COLUMNS[:2], "ingest.max_reject_share=1.0"]
ITEMS = ["data.item_columns.item=id", "data.item_columns.title=name"]


class Place:
    """A folder of own data and the tables ingested from it."""

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        self.spark, self.folder, self.raw = spark, folder, folder / "my data"
        self.raw.mkdir()

    def write(self, name: str, text: str | bytes) -> None:
        path = self.raw / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)

    def ingest(self, *overrides: str, source: str = "own") -> IngestReport:
        settings = load(
            "local",
            [f"data.source={source}", f'data.path="{self.raw}"', f'tables.root="{self.folder}/tables"', *overrides],
        )
        self.tables = Tables(self.spark, settings.tables)
        return ingest(self.tables, settings, ingested_at=NOW)

    def of_files(self, table: str, *columns: object) -> dict[str, list[tuple[object, ...]]]:
        """The table's rows by the names of their files."""
        rows = self.tables.read(table)
        files = self.tables.read("bronze_files").select("file_id", "path")
        order = ["position"] if "position" in rows.columns else ["user_id", "item_id", "rating"]
        found: dict[str, list[tuple[object, ...]]] = {}
        for path, *row in rows.join(files, "file_id").orderBy(*order).select("path", *columns).collect():
            found.setdefault(str(Path(path).relative_to(self.raw)), []).append(tuple(row))
        return found

    def ratings(self) -> dict[str, list[tuple[object, ...]]]:
        return self.of_files("bronze_ratings", "user_id", "item_id", "rating", F.unix_seconds("rated_at"))

    def quarantined(self) -> dict[str, list[tuple[object, ...]]]:
        return self.of_files("bronze_quarantine", "line", "reason")

    def items(self) -> list[tuple[object, ...]]:
        rows = self.tables.read("bronze_items").select("item_id", "title", "year", "genres").orderBy("item_id")
        return [tuple(row) for row in rows.collect()]


@pytest.fixture
def place(spark: SparkSession, tmp_path: Path) -> Place:
    return Place(spark, tmp_path)


def test_files_of_every_format_in_one_folder(place: Place) -> None:
    place.write(
        "a.csv",
        b'note,who,what,stars,at\n"a, b",anna,"Heat, 1995",7.5,2021-03-04\n,bob,x1,11,2021-03-04\n\n,,x1,3,\n'
        b',bob,x1,3,never\n  \n,bob,x1,3,\r\n,bob\n,bob,x1,3,,more\n5" disk, bob ,"x""2""", 4 ,\n'
        + b",\xff,x1,3,\n,a\0b,x1,3,\n",
    )
    place.write("b.tsv.gz", gzip.compress(b"what\twho\tstars\tat\nx1\t007\t1\t1614816000000\n"))
    place.write(
        "c.jsonl",
        '\ufeff{"who": 1, "what": 2, "stars": 3.5, "at": 1614816000, "more": {}}\n{"who": 1, "what": "3", "stars": "4"}\n'
        '{"who": null, "what": 2, "stars": 3}\n\n[1, 2, 3]\n{"who": {"id": 1}, "what": 2, "stars": 3}\n{"who": "[x]", '
        '"what": 2, "stars": 3}\n',
    )
    place.write("gone.csv/_SUCCESS", "")
    rows = [(5, 6, 7.0, MARCH), (5, None, 7.0, MARCH), (5, 7, None, None), (6, 7, 99.0, None), (6, 8, 0.0, None)]
    frame = place.spark.createDataFrame(rows, "who int, what bigint, stars double, at timestamp").coalesce(1)
    frame.write.parquet(str(place.raw / "parts"))
    report = place.ingest(*COLUMNS, f'data.path=["{place.raw}", "{place.raw}/parts"]')
    ratings, told = place.ratings(), place.quarantined()
    assert ratings["a.csv"] == [
        ("anna", "Heat, 1995", 7.5, SECONDS),
        ("bob", 'x"2"', 4.0, None),
        ("bob", "x1", 3.0, None),
    ]
    assert ratings["b.tsv.gz"] == [("007", "x1", 1.0, SECONDS)]
    assert ratings["c.jsonl"] == [("1", "2", 3.5, SECONDS), ("1", "3", 4.0, None), ("[x]", "2", 3.0, None)]
    (parquet,) = [name for name in ratings if name.endswith(".parquet")]
    assert ratings[parquet] == [("5", "6", 7.0, SECONDS), ("6", "8", 0.0, None)]
    assert told["a.csv"] == [
        ('{"who":"bob","what":"x1","stars":"11","at":"2021-03-04"}', Reason.SCALE.of("stars")),
        ('{"who":null,"what":"x1","stars":"3","at":null}', Reason.NO_USER.of("who")),
        ('{"who":"bob","what":"x1","stars":"3","at":"never"}', Reason.TIME.of("at")),
        (",bob", NoRecord.FIELDS),
        (",bob,x1,3,,more", NoRecord.FIELDS),
        ('{"who":"\ufffd","what":"x1","stars":"3","at":null}', Reason.USER_TEXT.of("who")),
        ('{"who":"a\\u0000b","what":"x1","stars":"3","at":null}', Reason.USER_TEXT.of("who")),
    ]
    assert [reason for _, reason in told["c.jsonl"]] == [Reason.NO_USER.of("who"), NoRecord.JSON, NoRecord.NESTED]
    assert [reason for _, reason in told[parquet]] == [
        Reason.NO_ITEM.of("what"),
        Reason.RATING.of("stars"),
        Reason.SCALE.of("stars"),
    ]
    assert json.loads(str(told[parquet][2][0])) == {"who": 6, "what": 7, "stars": 99.0, "at": None}
    assert (report.rows_in, report.rows_kept) == (22, 9)
