"""Raw files to bronze: what is kept, what is quarantined, what is read again, and what is refused."""

from __future__ import annotations

import gzip
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from nightreel.errors import ConfigurationError, DataError, TableError
from nightreel.settings import Settings, load
from nightreel.sources import BRONZE, IngestReport, ingest
from nightreel.sources.lines.rating_lines import Reason
from nightreel.sources.netflix.lines import DumpReason
from nightreel.sources.netflix.source import TitleReason
from nightreel.tables.tables import Tables

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
CLEAN = b"1:\n10,3,2005-09-06\n11,5,2005-05-13\n2:\n10,4.5,2005-10-19\n"
TRAPS = (
    b"\xef\xbb\xbf99,3,2004-01-01\n1:\r\n10,3,2005-09-06\r\n11,6,2005-05-13\n12,4,2005-02-29\n0,4,2005-02-28\n\n7:\n2:\n"
    b"\x00\xff\xfe\n"
    + b"9" * 3_000
    + b"\n13,4.0,2005-01-01\n9999999999:\n14,4,2005-01-01\n3:\n15,2,2005-01-01\n16,2,2005-0"
)
TITLES = b"1,2003,Dinosaur Planet\n2,NULL,Amour, Am\xe9lie\nrubbish\n3,1999,11:14\n4,2000,\x1b[31mRed\n"


class Place:
    """A folder of raw files and the tables ingested from it."""

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        self.raw = folder / "raw files"
        self.raw.mkdir(parents=True)
        self.root = folder / "tables"
        self.spark = spark
        self.overrides = [f'data.path="{self.raw}"', "ingest.max_reject_share=1.0"]

    def write(self, name: str, data: bytes) -> Path:
        path = self.raw / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def settings(self, *overrides: str) -> Settings:
        return load("local", [*self.overrides, f"tables.root={self.root}", *overrides])

    def tables(self) -> Tables:
        return Tables(self.spark, self.settings().tables)

    def ingest(self, *overrides: str) -> IngestReport:
        return ingest(self.tables(), self.settings(*overrides), ingested_at=NOW)

    def rows(self, table: str, *columns: str) -> list[Row]:
        return sorted(self.tables().read(table).select(*columns).collect(), key=str)

    def versions(self) -> dict[str, int | None]:
        return {table: self.tables().version(table) for table in BRONZE}

    def ratings(self) -> list[tuple[object, ...]]:
        return [tuple(row) for row in self.rows("bronze_ratings", "item_id", "user_id", "rating", "file_id")]


@pytest.fixture
def place(spark: SparkSession, tmp_path: Path) -> Place:
    return Place(spark, tmp_path)


def test_good_lines_are_kept_and_bad_ones_quarantined_wherever_files_are_cut(place: Place) -> None:
    """One ingest of an empty file, traps with a byte order mark, a packed file, headers alone and packed titles."""
    place.write("combined_data_0.txt", b"")
    path = place.write("combined_data_1.txt", TRAPS)
    place.write("combined_data_2.txt.gz", gzip.compress(CLEAN))
    place.write("combined_data_3.txt", b"1:\n2:\n3:")
    place.write("movie_titles.csv.gz", gzip.compress(TITLES))
    for name in ("probe.txt", "qualifying.txt", "README"):
        place.write(name, b"1:\n5\n")
    report = place.ingest("ingest.chunk_bytes=4", "ingest.partition_bytes=600")
    assert place.ratings() == [
        (1, 10, 3.0, 2),
        (1, 10, 3.0, 3),
        (1, 11, 5.0, 3),
        (2, 10, 4.5, 3),
        (2, 13, 4.0, 2),
        (3, 15, 2.0, 2),
    ]
    quarantined = place.tables().read("bronze_quarantine").where("file_id = 2").orderBy("position").collect()
    assert [(row.position, row.reason) for row in quarantined] == [
        (TRAPS.index(line), reason)
        for line, reason in [
            (b"\xef\xbb\xbf99,3", Reason.NO_HEADER),
            (b"11,6", Reason.SCALE),
            (b"12,4,2005-02-29", DumpReason.DATE),
            (b"0,4,2005-02-28", DumpReason.USER_ID),
            (b"\x00\xff\xfe", Reason.BINARY),
            (b"9" * 3_000, Reason.TOO_LONG),
            (b"9999999999:", DumpReason.ITEM_ID),
            (b"14,4", Reason.REJECTED_HEADER),
            (b"16,2,2005-0", DumpReason.DATE),
        ]
    ]
    assert [len(row.line) for row in quarantined if row.reason == Reason.TOO_LONG] == [1_000]
    items = place.rows("bronze_items", "item_id", "title", "year")
    assert [tuple(row) for row in items] == [
        (1, "Dinosaur Planet", 2003),
        (2, "Amour, Amélie", None),
        (3, "11:14", 1999),
    ]
    rejected = place.rows("bronze_quarantine", "file_id", "position", "line", "reason")
    assert [tuple(row) for row in rejected if row.file_id == 5] == [
        (5, TITLES.index(b"rubbish"), "rubbish", TitleReason.FORM),
        (5, TITLES.index(b"4,"), "4,2000,\x1b[31mRed", TitleReason.BINARY),
    ]
    assert (report.rows_in, report.rows_kept, report.items, sum(report.rejects.values())) == (15, 6, 3, 11)
    files = place.rows("bronze_files", "file_id", "path", "size", "rows", "rejected")
    assert tuple(files[1]) == (2, str(path), len(TRAPS), 3, 9)
    assert [(file.rows, file.rejected) for file in files] == [(0, 0), (3, 9), (3, 0), (0, 0), (3, 2)]
    (day,) = place.tables().read("bronze_ratings").where("user_id = 15").select(F.unix_micros("rated_at")).first() or [
        0
    ]
    assert day == datetime(2005, 1, 1, tzinfo=UTC).timestamp() * 1_000_000


def test_only_new_and_changed_files_are_read_again(place: Place) -> None:
    first = place.write("combined_data_1.txt", CLEAN)
    place.write("combined_data_2.txt", b"5:\n1,1,2001-01-01\n")
    place.write("movie_titles.txt", TITLES)
    place.ingest()
    before = place.versions()
    again = place.ingest()
    assert place.versions() == before
    assert (again.files_read, again.files_unchanged, again.rows_in) == (0, 3, 0)

    first.write_bytes(b"1:\n10,1,2005-09-06\nbroken\n")
    place.write("combined_data_0.txt", b"4:\n2,2,2002-02-02\n")
    (place.raw / "combined_data_2.txt").unlink()
    changed = place.ingest()
    assert (changed.files_read, changed.files_unchanged, changed.files_gone) == (2, 1, 1)
    assert place.ratings() == [(1, 10, 1.0, 1), (4, 2, 2.0, 4), (5, 1, 1.0, 2)]
    assert place.versions()["bronze_ratings"] == (before["bronze_ratings"] or 0) + 1
    assert place.versions()["bronze_items"] == before["bronze_items"]
    assert [row.line[:7] for row in place.rows("bronze_quarantine", "line")] == ["4,2000,", "broken", "rubbish"]
    assert [row.file_id for row in place.rows("bronze_files", "file_id")] == [1, 2, 3, 4]

    read_otherwise = place.ingest("scale.highest=4.0")
    assert (read_otherwise.files_read, read_otherwise.files_unchanged) == (3, 0)


def test_the_next_run_mends_what_a_broken_one_left(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.write("combined_data_1.txt", CLEAN)
    place.ingest()
    orphan = place.write("combined_data_2.txt", b"5:\n1,1,2001-01-01\nbroken\n")
    with monkeypatch.context() as patch:

        def full_disk(tables: Tables, table: str, rows: object, condition: str) -> None:
            raise OSError(f"{table}: no space left")

        patch.setattr(Tables, "put", full_disk)
        with pytest.raises(OSError, match="bronze_files: no space left"):
            place.ingest()
    orphan.rename(place.raw / "combined_data_3.txt")
    place.write("combined_data_2.txt", b"6:\n1,1,2001-01-01\n")
    place.ingest()
    assert place.ratings()[3:] == [(5, 1, 1.0, 3), (6, 1, 1.0, 2)]
    assert len(place.ratings()) == 5
    assert [row.file_id for row in place.rows("bronze_quarantine", "file_id")] == [3]


def test_too_many_rejects_and_far_fewer_ratings_are_refused_before_anything_changes(place: Place) -> None:
    path = place.write("combined_data_1.txt", CLEAN)
    place.ingest("ingest.max_reject_share=0.0")
    before, ratings = place.versions(), place.ratings()
    path.write_bytes(CLEAN + b"12,9,2005-01-01\n")
    said = rf"1 of 4 lines \(25.00%\).*24.00%.*outside the scale.*{path} at byte {len(CLEAN)};"
    with pytest.raises(DataError, match=said):
        place.ingest("ingest.max_reject_share=0.24")
    assert (place.versions(), place.ratings()) == (before, ratings)
    assert place.ingest("ingest.max_reject_share=0.25").rows_kept == 3

    before = place.versions()
    path.write_bytes(b"1:\n10,3,2005-09-06\n")
    said = r"1 ratings where the last ingest left 3 \(66\.7% fewer\).*max_drop_share allows 50\.0%; nothing was written"
    with pytest.raises(DataError, match=said):
        place.ingest()
    assert (place.versions(), place.ratings()) == (before, ratings)
    assert place.ingest("ingest.max_drop_share=0.7").rows_kept == 1


def test_damaged_files_are_refused_by_name_before_anything_is_written(place: Place) -> None:
    unreadable = r"the file cannot be read to its end: .*nothing was written"
    for name, data, said in [
        ("combined_data_2.txt.gz", gzip.compress(CLEAN)[:-12], rf"data_2\.txt\.gz: {unreadable}"),
        (
            "combined_data_2.txt",
            CLEAN.decode().encode("utf-16"),
            rf"data_2\.txt: {unreadable.replace('.*', '.*UTF-16.*')}",
        ),
        ("movie_titles.csv.gz", gzip.compress(TITLES)[:-9], rf"movie_titles\.csv\.gz: {unreadable}"),
        ("movie_titles.csv", b"<html>\n", r"1 of 1 lines .*movie_titles\.csv"),
    ]:
        place.write("combined_data_1.txt", CLEAN * 50)
        path = place.write(name, data)
        with pytest.raises(DataError, match=said):
            place.ingest("ingest.max_reject_share=0.1")
        path.unlink()
        assert not place.root.exists()


def test_thousands_of_small_files_are_few_tasks(place: Place) -> None:
    for movie in range(1, 3_001):
        place.write(f"training_set/mv_{movie:07}.txt", f"{movie}:\n{movie % 7 + 1},3,2005-01-01\n".encode())
    place.write("movie_titles.txt", TITLES)
    report = place.ingest()
    assert (report.rows_kept, report.files_read, report.items) == (3_000, 3_001, 3)
    ratings = place.tables().read("bronze_ratings")
    assert len(ratings.inputFiles()) <= 8
    assert ratings.select("item_id", "file_id").distinct().count() == 3_000


def test_a_second_writer_is_noticed(place: Place) -> None:
    place.write("combined_data_1.txt", CLEAN)
    tables = place.tables()
    tables.watch(*BRONZE)
    place.ingest()
    place.write("combined_data_2.txt", CLEAN)
    with pytest.raises(TableError, match="another job wrote it"):
        ingest(tables, place.settings(), ingested_at=NOW)
    assert len(place.rows("bronze_files", "file_id")) == 1


def test_one_real_movie_and_the_prizes_titles(place: Place, real_data: Path) -> None:
    for name in ("mv_0002043.txt", "movie_titles.csv"):
        shutil.copy(real_data / "netflix" / name, place.raw)
    report = place.ingest("ingest.max_reject_share=0.0")
    assert (report.rows_kept, report.items, dict(report.rejects)) == (7_871, 17_770, {})
    assert place.tables().read("bronze_items").where("year IS NULL").count() == 7
    assert place.tables().read("bronze_ratings").where("item_id = 2043").count() == 7_871
    assert (place.raw / "mv_0002043.txt").stat().st_size == place.rows("bronze_files", "size")[0][0]


@pytest.mark.parametrize("path", ["/no/such/place", "/no/such/*.txt", "nosuchstore://bucket/file"])
def test_a_path_that_is_not_there(place: Place, path: str) -> None:
    with pytest.raises(ConfigurationError, match=r"data\.path: "):
        place.ingest(f"data.path={path}")


def test_a_folder_without_a_dump(place: Place) -> None:
    place.write("probe.txt", b"1:\n5\n")
    with pytest.raises(DataError, match=r"no rating files there; looked for combined_data_\*.txt"):
        place.ingest()
