"""A user's own data, in every format it may have, through ingest: what is kept, and what is quarantined and why."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from nightreel.errors import ConfigurationError, DataError
from nightreel.prepare.filters import deduplicate
from nightreel.settings import load
from nightreel.sources import IngestReport, ingest
from nightreel.sources.judging import REPEATED, TITLE_CONTROL
from nightreel.sources.own import OwnData
from nightreel.sources.own.ratings import Reason, judge
from nightreel.sources.own.rows import NoRecord
from nightreel.sources.records import RecordReason
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
WITHOUT_TIME = [*COLUMNS[:3], *COLUMNS[4:]]
ITEM_NAMES = [f"data.item_columns.{name}" for name in ("item=id", "title=name", "year=made", "genres=kinds")]


class Place:
    """A folder of own data and the tables ingested from it."""

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        self.spark, self.folder, self.raw = spark, folder, folder / "my data"
        self.raw.mkdir()

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.raw / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def parquet(self, name: str, /, **columns: object) -> None:
        (self.raw / name).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(columns), self.raw / name)

    def source(self, *overrides: str) -> OwnData:
        return OwnData(load("local", ["data.source=own", f'data.path="{self.raw}"', *overrides]))

    def ingest(self, *overrides: str, source: str = "own") -> IngestReport:
        named = [f"data.source={source}", f'data.path="{self.raw}"', f'tables.root="{self.folder}/tables"']
        settings = load("local", [*named, *overrides])
        self.tables = Tables(self.spark, settings.tables)
        return ingest(self.tables, settings, ingested_at=NOW)

    def rows(self, table: str, order: str, *columns: object) -> dict[str, list[tuple[object, ...]]]:
        """The table's rows by the names of their files."""
        files = self.tables.read("bronze_files").select("file_id", "path")
        rows = self.tables.read(table).join(files, "file_id").orderBy(*order.split())
        found: dict[str, list[tuple[object, ...]]] = {}
        for path, *row in rows.select("path", *columns).collect():
            found.setdefault(path.removeprefix(f"{self.raw}/"), []).append(tuple(row))
        return found

    def ratings(self) -> dict[str, list[tuple[object, ...]]]:
        at = F.unix_seconds("rated_at")
        return self.rows("bronze_ratings", "user_id item_id rating", "user_id", "item_id", "rating", at)

    def quarantined(self) -> dict[str, list[tuple[object, ...]]]:
        return self.rows("bronze_quarantine", "position", "line", "reason")


@pytest.fixture
def place(spark: SparkSession, tmp_path: Path) -> Place:
    return Place(spark, tmp_path)


def test_files_of_every_format_in_one_folder(place: Place) -> None:
    csv = (
        'note,who,what,stars,at\n"a, b",anna,"Heat, 1995",7.5,2021-03-04\n,bob,x1,11,2021-03-04\n\n,,x1,3,\n'
        ',bob,x1,3,never\n  \n,bob,x1,3,\r\n,bob\n,bob,x1,3,,more\n5" disk, bob ,"x""2""", 4 ,\n'
    )
    place.write("a.csv", csv.encode() + b",\xff,x1,3,\n,a\0b,x1,3,\n")
    place.write("b.tsv.gz", gzip.compress(b"what\twho\tstars\tat\nx1\t007\t1\t1614816000000\n"))
    lines = [
        '\ufeff{"who": 1, "what": 2, "stars": 3.5, "at": 1614816000, "more": {}}',
        '{"who": 1, "what": "3", "stars": "4"}',
        '{"who": null, "what": 2, "stars": 3}',
        "[1, 2, 3]",
        "",
        '{"who": {"id": 1}, "what": 2, "stars": 3}',
        '{"who": "[x]", "what": 2, "stars": 3}',
    ]
    place.write("c.jsonl", "\n".join(lines))
    rows = [(5, 6, 7.0, MARCH), (5, None, 7.0, MARCH), (5, 7, None, None), (6, 7, 99.0, None), (6, 8, 0.0, None)]
    frame = place.spark.createDataFrame(rows, "who int, what bigint, stars double, at timestamp").coalesce(1)
    frame.write.parquet(str(place.raw / "parts"))
    report = place.ingest(*COLUMNS, f'data.path=["{place.raw}", "{place.raw}/parts"]')
    ratings, told = place.ratings(), place.quarantined()
    (parquet,) = (name for name in ratings if name.endswith(".parquet"))
    assert ratings == {
        "a.csv": [
            ("anna", "Heat, 1995", 7.5, SECONDS),
            ("bob", 'x"2"', 4.0, None),
            ("bob", "x1", 3.0, None),
        ],
        "b.tsv.gz": [("007", "x1", 1.0, SECONDS)],
        "c.jsonl": [("1", "2", 3.5, SECONDS), ("1", "3", 4.0, None), ("[x]", "2", 3.0, None)],
        parquet: [("5", "6", 7.0, SECONDS), ("6", "8", 0.0, None)],
    }
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
    assert told["c.jsonl"][1][0] == "[1, 2, 3]"
    numbered = place.rows("bronze_quarantine", "position", "position", "reason")[parquet]
    assert numbered == [
        (1, Reason.NO_ITEM.of("what")),
        (2, Reason.RATING.of("stars")),
        (3, Reason.SCALE.of("stars")),
    ]
    assert json.loads(str(told[parquet][2][0])) == {"who": 6, "what": 7, "stars": 99.0, "at": None}
    assert (report.rows_in, report.rows_kept) == (22, 9)


def test_no_line_within_quotes_is_a_rating_and_one_id_is_one_user_whatever_the_format(place: Place) -> None:
    (place.folder / "elsewhere.csv").write_text("who,what,stars\nlinked,1,3\n")
    (place.raw / "link.csv").symlink_to(place.folder / "elsewhere.csv")
    header = "who,what,stars,note\n"
    place.write("lines.csv", f'{header}7,31,2,"as id,film,stars:\n900001,31,5,the first\nthe last"\n8,31,4,x\n')
    place.write("open.csv", f'{header}7,31,2,"never closed\n900001,31,5,the first\n900002,31,5,the last\n')
    place.write("again.csv", f'{header}1,1,3,"never closed\n900001,31,5,"the first"\n3,1,3,x\n')
    place.write("backslash.csv", f'{header}1,1,3,"Bis zum \\"Ende\\" der Straße"\n2,1,3,x\n')
    place.write("long.csv", f'{header}1,1,3,"{"long " * 9_999}"\n')
    place.write("floats.csv", "who,what,stars\n7.0,7.000,3\n 7 ,7,3\n")
    place.write("floats.json", '{"who": 7, "what": 7.0, "stars": 3}\n{"who": " 7.0", "what": "7", "stars": 3}\n')
    place.parquet("floats.parquet", who=[7.0, None, 2.5], what=["7.0", "1", "1"], stars=[3, 3, 3])
    at = pa.array([1_614_816_000_123_456_789, None], pa.timestamp("ns"))
    place.parquet("nanoseconds.parquet", who=["n", "n"], what=[1, 2], stars=pa.array([1, 2], pa.uint8()), at=at)
    unsigned = {"who": pa.array([2**64 - 1], pa.uint64()), "what": pa.array(["x"]).dictionary_encode()}
    place.parquet("unsigned.parquet", **unsigned, stars=pa.array([1.5], pa.float32()), at=pa.array([0.5], pa.float16()))
    for year in (2024, 2025):
        place.parquet(f"what=a b/year={year}/part-0.parquet", who=["p"], stars=[year - 2020])
    names = ["my ratings.parquet", "a%20b.parquet", "ä+#.parquet", "r[1].parquet", "r{1}.parquet", "it's.parquet"]
    for name in names:
        place.parquet(name, who=[name], what=[1], stars=[1])
    report = place.ingest(*WITHOUT_TIME)
    ratings, told = place.ratings(), place.quarantined()
    assert [row[0] for row in ratings["lines.csv"]] == ["7", "8"]
    assert told["open.csv"] == [('7,31,2,"never closed\n900001,31,5,the first\n900002,31,5,the last', NoRecord.QUOTES)]
    assert told["again.csv"] == [('1,1,3,"never closed\n900001,31,5,"the first"', NoRecord.QUOTES)]
    assert [row[0] for row in ratings["again.csv"]] == ["3"]
    assert told["backslash.csv"] == [('1,1,3,"Bis zum \\"Ende\\" der Straße"', NoRecord.QUOTES)]
    assert ratings["long.csv"] == [("1", "1", 3.0, None)]
    assert ratings["floats.csv"] == ratings["floats.json"] == 2 * [("7", "7", 3.0, None)]
    assert ratings["floats.parquet"] == [("2.5", "1", 3.0, None), ("7", "7", 3.0, None)]
    assert ratings["nanoseconds.parquet"] == [("n", "1", 1.0, None), ("n", "2", 2.0, None)]
    assert ratings["unsigned.parquet"] == [("18446744073709551615", "x", 1.5, None)]
    for year in (2024, 2025):
        assert ratings[f"what=a b/year={year}/part-0.parquet"] == [("p", "a b", year - 2020.0, None)]
    assert ratings["link.csv"] == [("linked", "1", 3.0, None)]
    assert {name: ratings[name] for name in names} == {name: [(name, "1", 1.0, None)] for name in names}
    assert "open.csv" not in ratings
    assert report.rows_in == report.rows_kept + 3 + 2 + 1 + 1  # lines: open.csv, again.csv, backslash.csv, floats


def test_files_written_another_way_are_read_as_the_settings_say(place: Place) -> None:
    def told(*overrides: str) -> list[tuple[object, ...]]:
        source = place.source(*COLUMNS, *overrides)
        files = dict(enumerate(source.find().ratings))
        rejects = source.survey(place.spark, files).where("reason IS NOT NULL").orderBy("position")
        kept = source.ratings(place.spark, files).orderBy("user_id")
        times = kept.select("user_id", "item_id", "rating", F.unix_micros("rated_at"))
        return [tuple(row) for row in (*times.collect(), *rejects.select("line", "reason").collect())]

    moment = int(datetime(2023, 10, 6, 1, 23, tzinfo=UTC).timestamp()) * 1_000_000
    place.write(
        "places.csv",
        '\ufeff7;31;4,5;06.10.2023 01:23;"Bis zum \\"Ende\\" der Straße; C:\\\\"\n8;31;4.5;06.10.2023 01:23;x\n'
        '9;"3;1";"4,0";2023-10-06;x\n10;31;4;;"a ""b"" c"\n11;31;4;;x\n',
    )
    places = [f'data.columns.{role}="{place}"' for place, role in enumerate(("user", "item", "rating", "time"), 1)]
    form = ["data.header=false", "data.separator=;", "data.decimal=,", "data.escape=backslash"]
    assert told(*places, *form, "data.time_format=dd.MM.yyyy HH:mm") == [
        ("11", "31", 4.0, None),
        ("7", "31", 4.5, moment),
        ('{"1":"8","2":"31","3":"4.5","4":"06.10.2023 01:23"}', Reason.RATING.of("3")),
        ('{"1":"9","2":"3;1","3":"4,0","4":"2023-10-06"}', Reason.TIME_FORMAT.of("4")),
        ('10;31;4;;"a ""b"" c"', NoRecord.QUOTES),
    ]
    with pytest.raises(ConfigurationError, match=r"data\.time_format = 'soon': no pattern of Spark's"):
        told(*places, *form, "data.time_format=soon")
    (place.raw / "places.csv").unlink()
    place.write("signs.csv", 'who::what::stars::at\n7::"3::1"::4::06.10.2023 01:23\n7::31::4::1696555380.5\n7::31::4\n')
    assert told('data.separator="::"') == [
        ("7", "31", 4.0, moment + 500_000),
        ('{"who":"7","what":"3::1","stars":"4","at":"06.10.2023 01:23"}', Reason.TIME.of("at")),
        ("7::31::4", NoRecord.FIELDS),
    ]
    (place.raw / "signs.csv").unlink()
    place.parquet("n.parquet", who=[1], what=[1], stars=[1], at=pa.array([-1], pa.timestamp("ns")))
    assert told() == [("1", "1", 1.0, -1)]


def test_reasons_case_by_case(spark: SparkSession) -> None:
    settings = load("local", ["data.source=own", *COLUMNS, "scale.highest=5", "data.ids=number"])
    user, item, stars, at = (f"(column {name})" for name in ("who", "what", "stars", "at"))
    largest = 2**63 - 1
    cases: list[tuple[tuple[str | None, str | None, str | None, str | None], object]] = [
        (("1", "2", "3", None), (1, 2, 3.0, None)),
        (("\t007 ", "2.000", "+.5e1", " 2021-03-04T00:00Z "), (7, 2, 5.0, SECONDS)),
        ((str(largest), "0", "0", "-1"), (largest, 0, 0.0, -1)),
        ((str(largest + 1), "2", "3", None), f"user id is not a whole number {user}"),
        (("anna", "2", "3", None), f"user id is not a whole number {user}"),
        (("-1", "2", "3", None), f"user id is not a whole number {user}"),
        (("1", "2.5", "3", None), f"item id is not a whole number {item}"),
        (("1", "1e3", "3", None), f"item id is not a whole number {item}"),
        ((" ", "2", "3", None), f"no user id {user}"),
        (("1", None, "3", None), f"no item id {item}"),
        (("1", "2", None, None), f"rating is not a number {stars}"),
        (("1", "2", "NaN", None), f"rating is not a number {stars}"),
        (("1", "2", "3d", None), f"rating is not a number {stars}"),
        (("1", "2", "3,5", None), f"rating is not a number {stars}"),
        (("1", "2", "5.1", None), f"rating outside scale.lowest to scale.highest {stars}"),
        (("1", "2", "1e999", None), f"rating outside scale.lowest to scale.highest {stars}"),
        (("1", "2", "3", "06.10.2023 01:23"), Reason.TIME.of("at")),
        (("1", "2", "3", "2021-02-30"), Reason.TIME.of("at")),
        (("1", "2", "3", "99999999999999999999"), Reason.TIME.of("at")),
        (("1", "2", "3", "1614816000000"), (1, 2, 3.0, SECONDS)),
        (("1", "2", "3", "2021-03-04 01+01"), (1, 2, 3.0, SECONDS)),
        (("1", "2", "3", "2021-03-04T00:00:00.5"), (1, 2, 3.0, SECONDS)),
    ]
    schema = "n int, user string, item string, rating string, time string, file_id int, position bigint, record string"
    rows = [(n, *cells, 1, n, None, None) for n, (cells, _) in enumerate(cases)]
    frame = spark.createDataFrame(rows, f"{schema}, reason string").coalesce(1)
    found = judge(frame, settings).select(
        "user_id", "item_id", "rating", F.unix_seconds("rated_at"), "reason", "position"
    )
    told = [row["reason"] or tuple(row)[:4] for row in found.orderBy("position").collect()]
    assert told == [expected for _, expected in cases]
    assert Reason.TIME.of("at").endswith(at)


def test_a_delta_table_is_read_again_only_when_it_has_changed(place: Place) -> None:
    schema = "who string, what string, stars string, at string"
    first = place.spark.createDataFrame([(" anna ", "x", "4", "1614816000"), ("", "x", "4", None)], schema)
    path = f"{place.raw}/liked"
    first.coalesce(1).write.format("delta").save(path)
    report = place.ingest(*COLUMNS, f'data.path="{path}"')
    assert [*place.ratings().values()] == [[("anna", "x", 4.0, SECONDS)]]
    assert [[reason for _, reason in told] for told in place.quarantined().values()] == [[Reason.NO_USER.of("who")]]
    assert place.ingest(*COLUMNS, f'data.path="{path}"').files_unchanged == 1
    more = place.spark.createDataFrame([("bob", "x", "five", ""), ("bob", "y", "5", "2021-03-04T00:00")], schema)
    more.coalesce(1).write.format("delta").mode("append").save(path)
    report = place.ingest(*COLUMNS, f'data.path="{path}"')
    assert (report.files_read, report.rows_in, report.rows_kept) == (1, 4, 2)
    assert next(iter(place.ratings().values()))[1] == ("bob", "y", 5.0, SECONDS)


def test_a_table_in_the_catalog_and_items_of_any_kind(place: Place) -> None:
    place.spark.sql(
        "CREATE TABLE default.own_ratings USING delta AS SELECT 1L who, 2 what, 3 stars, date'2021-03-04' at"
    )
    place.write(
        "items.csv",
        "id,name,made,kinds\n2,Heat,1995,Crime|Drama\n,No,1,\n 2.0,Again,,\n3,,soon,\n4,\x1b[31mRed,,\n"
        '5,"Bis zum \\"Ende\\"",,\n6,Am\udce9lie,2001.0,\n'.encode("utf-8", "surrogateescape"),
    )
    place.write(
        "items.jsonl",
        '{"id": 2.0, "name": "Heat", "made": 1995, "kinds": ["Crime", "Drama"]}\n{\n{"id": 3, "name": "a\\u0007b"}\n',
    )
    place.parquet("items.parquet", id=[2.0], name=["Heat"], made=[1995], kinds=[["Crime", "Drama"]])
    heat = ("2", "Heat", 1995, ["Crime", "Drama"])
    of_csv = [RecordReason.QUOTE, REPEATED, Reason.NO_ITEM.of("id"), TITLE_CONTROL]
    for file, rejects, kept in [
        ("items.csv", of_csv, [heat, ("3", None, None, []), ("6", "Amélie", 2001, [])]),
        ("items.jsonl", [NoRecord.JSON, TITLE_CONTROL], [heat]),
        ("items.parquet", [], [heat]),
    ]:
        items = [f'data.items="{place.raw}/{file}"', *ITEM_NAMES]
        source = place.source(*COLUMNS, "data.path=default.own_ratings", *items)
        described = source.items(place.spark, dict(enumerate(source.find().items)))
        rows = described.rows.select("item_id", "title", "year", F.coalesce("genres", F.array())).orderBy("item_id")
        assert [tuple(row) for row in rows.collect()] == kept
        reasons = described.lines.where("reason IS NOT NULL").select("reason").collect()
        assert sorted(row["reason"] for row in reasons) == sorted(rejects)
    place.write("bare.csv", "Alien;f1;x\nHeat;f2;y\n")
    by_place = ["data.header=false", 'data.separator=";"', 'data.item_columns.item="2"', 'data.item_columns.title="1"']
    bare = place.source(*COLUMNS, "data.path=default.own_ratings", f'data.items="{place.raw}/bare.csv"', *by_place)
    described = bare.items(place.spark, dict(enumerate(bare.find().items)))
    assert sorted(described.rows.select("item_id", "title").collect()) == [("f1", "Alien"), ("f2", "Heat")]
    place.ingest(*COLUMNS, "data.path=default.own_ratings", *items)
    assert place.ratings() == {"default.own_ratings": [("1", "2", 3.0, SECONDS)]}
    assert place.tables.read("bronze_items").select("item_id", "title").first() == ("2", "Heat")
    with pytest.raises(ConfigurationError, match=r"data\.path: main\.ratings: neither a file or folder nor a table"):
        place.ingest(*COLUMNS, "data.path=main.ratings")
    place.spark.sql("DROP TABLE default.own_ratings")


def test_events_that_repeat_add_up(place: Place) -> None:
    place.write("clicks.csv", "who,what,weight\nanna,x,1\nanna,x,2.5\nanna,y,0\nbob,x,1e-60\nbob,y,1\n")
    columns = [*COLUMNS[:2], "ingest.max_reject_share=1.0"]
    place.ingest(*columns, "data.columns.rating=weight", source="events")
    weight = Reason.WEIGHT.of("weight")
    assert [reason for _, reason in place.quarantined()["clicks.csv"]] == [weight, weight]
    summed = deduplicate(place.tables.read("bronze_ratings"), rule="sum").orderBy("user_id").collect()
    assert [(row.user_id, row.item_id, row.rating) for row in summed] == [("anna", "x", 3.5), ("bob", "y", 1.0)]
    place.ingest(*columns, source="events")
    assert [row[2] for row in place.ratings()["clicks.csv"]] == [1.0] * 5


def test_ids_are_numbers_only_where_the_settings_say_so(place: Place) -> None:
    place.write("1.csv", "who,what,stars\n1,2.0,3\nanna,2,3\n")
    place.ingest(*WITHOUT_TIME, "data.ids=number")
    assert place.ratings() == {"1.csv": [(1, 2, 3.0, None)]}
    (told,) = place.quarantined()["1.csv"]
    assert told == ('{"who":"anna","what":"2","stars":"3"}', "user id is not a whole number (column who)")
    with pytest.raises(
        ConfigurationError, match=r'data\.ids = "text": the ids in .*bronze_ratings.* are bigint, not string: set'
    ):
        place.ingest(*WITHOUT_TIME)
    assert place.ratings() == {"1.csv": [(1, 2, 3.0, None)]}


def test_items_that_change_alone_leave_the_ratings_as_they_are(place: Place) -> None:
    place.write("r.csv", "who,what,stars\n1,007,3\n1,7,3\n")
    items = place.folder / "items.csv"
    named = [f'data.items="{items}"', "data.item_columns.item=line", "data.item_columns.title=position"]
    for title in ("Heat", "Ronin"):
        items.write_text(f"line,position\n007,Bond\n7,{title}\n")
        place.ingest(*WITHOUT_TIME, *named)
        assert [row[:2] for row in place.ratings()["r.csv"]] == [("1", "007"), ("1", "7")]
        found = place.tables.read("bronze_items").select("item_id", "title").orderBy("item_id").collect()
        assert [tuple(row) for row in found] == [("007", "Bond"), ("7", title)]
    both = [f'data.items="{place.raw / "r.csv"}"', "data.item_columns.item=what", "data.item_columns.title="]
    with pytest.raises(ConfigurationError, match=r"is one of the files of data\.path"):
        place.ingest(*WITHOUT_TIME, *both)


def test_a_damaged_file_and_rejects_that_are_too_many_are_named(place: Place) -> None:
    place.write("1.csv", "who,what,stars\n1,1,3\n1,2,99\n")
    with pytest.raises(DataError, match=r"""'\{"who":"1","what":"2","stars":"99"\}' in \S+ data/1\.csv at row 1;"""):
        place.ingest(*WITHOUT_TIME, "ingest.max_reject_share=0.4")
    place.ingest(*WITHOUT_TIME)
    lines = "".join(f"{number},{number * 7919 % 10_007},3\n" for number in range(200_000))
    packed = gzip.compress(f"who,what,stars\n{lines}".encode())
    damaged = place.write("2 ä.csv.gz", packed[: len(packed) // 2])
    with pytest.raises(
        DataError, match=r"^/\S+/my data/2 ä\.csv\.gz: the file cannot be read to its end: .*nothing was written$"
    ):
        place.ingest(*WITHOUT_TIME)
    damaged.unlink()
    swallowed = "".join(f"{number},1,3,\n" for number in range(500))
    open_quote = place.write("3.csv", f'who,what,stars,note\n{swallowed}7,1,3,"never closed\n{swallowed}')
    with pytest.raises(DataError, match=r"^501 of 1,001 lines .*501 x a quote that is not closed"):
        place.ingest(*WITHOUT_TIME, "ingest.max_reject_share=0.4")
    open_quote.write_text('who,what,stars\n1,1,"' + "3,\n" * 400_000)
    with pytest.raises(DataError, match=r"3\.csv: .*a field of more than 1,000,000 characters, as where a quote is"):
        place.ingest(*WITHOUT_TIME)
    assert place.ratings() == {"1.csv": [("1", "1", 3.0, None)]}


def test_a_new_export_takes_the_place_of_one_that_is_gone(place: Place) -> None:
    first = place.write("mon.csv", "who,what\n1,1\n2,1\n")
    place.ingest(*COLUMNS[:2], source="events")
    first.unlink()
    second = place.write("tue.csv", "who,what\nanna,1\n2,1\n")
    report = place.ingest(*COLUMNS[:2], source="events")
    assert [row[:3] for row in place.ratings()["tue.csv"]] == [("2", "1", 1.0), ("anna", "1", 1.0)]
    assert report.files_gone == 1
    second.unlink()
    place.write("wed.csv", "who,what\nanna,1\n")
    with pytest.raises(DataError, match=r"1 ratings where the last ingest left 2 \(50.0% fewer\)"):
        place.ingest(*COLUMNS[:2], "ingest.max_drop_share=0.4", source="events")
