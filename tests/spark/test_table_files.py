"""Files that Python wrote, taken into Delta tables: equal to what Spark writes, whole or not at all."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import reduce
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from tests.spark.test_ingest import CLEAN, TRAPS, Place

from nightreel.errors import TableError
from nightreel.job.faults import explain
from nightreel.settings import TablesSettings
from nightreel.tables import EPOCH_METRICS, TableFile, Tables
from nightreel.tables import tables as tables_module
from nightreel.tables.snapshot import Snapshot


@pytest.fixture
def place(spark: SparkSession, tmp_path: Path) -> Place:
    return Place(spark, tmp_path)


def detail(place: Place, table: str) -> dict[str, object]:
    return detail_of(place.spark, place.tables(), table)


def detail_of(spark: SparkSession, tables: Tables, table: str) -> dict[str, object]:
    row = spark.sql(f"DESCRIBE DETAIL {tables.name(table)}").first()
    assert row is not None
    return row.asDict()


def test_both_ways_of_writing_give_the_same_table(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_python, by_spark = (Place(spark, tmp_path / name) for name in ("by python", "by spark"))
    columns = ("user_id", "item_id", "rating", "rated_at", "file_id")
    for place in (by_python, by_spark):
        place.write("combined_data_1.txt", TRAPS)
        place.write("combined_data_2.txt", CLEAN * 100)
    by_python.ingest()
    with monkeypatch.context() as patch:
        patch.setattr(Tables, "folder_for_files", lambda *_: None)
        by_spark.ingest()
    names = [
        {Path(file).name.startswith("rows-") for file in place.tables().read("bronze_ratings").inputFiles()}
        for place in (by_python, by_spark)
    ]
    assert names == [{True}, {False}], "each went its own way"
    assert by_python.rows("bronze_ratings", *columns) == by_spark.rows("bronze_ratings", *columns)
    assert by_python.tables().read("bronze_ratings").schema == by_spark.tables().read("bronze_ratings").schema
    assert detail(by_python, "bronze_ratings")["properties"] == detail(by_spark, "bronze_ratings")["properties"]


def test_garbage_in_a_file_or_a_log_is_one_line_that_names_it(place: Place) -> None:
    place.write("combined_data_1.txt", CLEAN)
    place.ingest()
    file = Path("/" + place.tables().read("bronze_ratings").inputFiles()[0].removeprefix("file:").lstrip("/"))
    whole = file.read_bytes()
    file.write_bytes(b"garbage" * 100)
    with pytest.raises(Exception, match="FAILED_READ_FILE") as raised:
        place.tables().read("bronze_ratings").collect()
    said = str(explain(raised.value, root=str(place.root)))
    assert said.startswith(f"{file}: cannot be read, a file of bronze_ratings; put back a copy, or remove the table's")
    file.write_bytes(whole)
    assert place.tables().read("bronze_ratings").count() == CLEAN.count(b"\n") - CLEAN.count(b":")
    small = Path(DeltaTable(str(file.parents[1] / "bronze_files")).file_uris()[0])
    whole = small.read_bytes()
    small.write_bytes(b"garbage" * 100)
    with pytest.raises(TableError, match=f"^{small.parent}: a file cannot be read: .*{small.name}.*; put back a copy$"):
        place.tables().few("bronze_files")
    small.write_bytes(whole)
    log = max((file.parents[1] / "bronze_files" / "_delta_log").glob("*.json"))
    log.write_bytes(b"garbage" * 100)
    with pytest.raises(TableError, match=f"^{log.parent}: cannot be read: .*; put a copy of the log back$"):
        Snapshot(str(file.parents[2])).dicts("bronze_files")


def test_new_files_are_added_and_spark_still_replaces_rows_beside_them(place: Place) -> None:
    first = place.write("combined_data_1.txt", CLEAN)
    place.ingest()
    before = set(place.tables().read("bronze_ratings").inputFiles())
    place.write("combined_data_2.txt", b"5:\n1,1,2001-01-01\n")
    place.ingest()
    assert before < set(place.tables().read("bronze_ratings").inputFiles())
    first.write_bytes(b"9:\n9,1,2001-01-01\n")
    place.ingest()
    assert place.ratings() == [(5, 1, 1.0, 2), (9, 9, 1.0, 1)]


def test_files_hold_what_their_statistics_say(place: Place) -> None:
    """Spark skips a file by its statistics, so that a wrong one would lose rows."""
    for number in range(1, 4):
        place.write(f"combined_data_{number}.txt", f"{number}:\n7,3,2005-01-01\n".encode() * number)
    place.ingest("ingest.partition_bytes=1")
    ratings = place.tables().read("bronze_ratings")
    assert len(ratings.inputFiles()) > 1
    by_number = [ratings.where(f"file_id = {number}").select("file_id") for number in range(1, 5)]
    counted = reduce(DataFrame.union, by_number).groupBy("file_id").count().collect()
    assert {row["file_id"]: row["count"] for row in counted} == {1: 1, 2: 2, 3: 3}
    assert ratings.count() == 6


def test_a_write_that_fails_leaves_the_table_as_it_was(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.write("combined_data_1.txt", CLEAN)
    place.ingest()
    before = (place.versions()["bronze_ratings"], place.ratings())
    place.write("combined_data_2.txt", CLEAN)

    def full_disk(*arguments: object, **named: object) -> None:
        raise OSError(28, "No space left on device", "bronze_ratings")

    with monkeypatch.context() as patch:
        patch.setattr(tables_module, "commit_files", full_disk)
        with pytest.raises(OSError, match="No space left"):
            place.ingest()
    assert (place.versions()["bronze_ratings"], place.ratings()) == before
    left = [Path(file).name for file in place.tables().read("bronze_ratings").inputFiles()]
    assert sorted(left) == sorted(file.name for file in Path(place.tables().path("bronze_ratings")).glob("*.parquet"))
    assert place.ingest().rows_kept == 3
    assert len(place.ratings()) == 6


def ratings_file(tables: Tables, name: str, *columns: str) -> TableFile:
    """Three ratings in bronze_ratings' folder, with no more columns than are named, if any are."""
    folder = tables.folder_for_files("bronze_ratings")
    assert folder is not None
    rows = pa.table(
        {
            "user_id": pa.array([1, 2, 3], pa.int64()),
            "item_id": pa.array([1, 1, 2], pa.int64()),
            "rating": pa.array([3.0, 4.0, 5.0], pa.float32()),
            "rated_at": pa.array([None] * 3, pa.timestamp("us", tz="UTC")),
            "file_id": pa.array([0, 0, 0], pa.int32()),
        }
    )
    Path(folder).mkdir(parents=True, exist_ok=True)
    file = Path(folder) / name
    pq.write_table(rows.select(columns or rows.column_names), file)
    return TableFile(name=name, size=file.stat().st_size, rows=3, lowest={}, highest={})


def test_a_file_with_other_columns_is_refused(place: Place) -> None:
    tables = place.tables()
    tables.adopt("bronze_ratings", [ratings_file(tables, "rows-1.parquet")], replace=False)
    stray = ratings_file(tables, "stray.parquet", "user_id", "item_id")
    with pytest.raises(TableError, match="column rating float is missing"):
        tables.adopt("bronze_ratings", [stray], replace=False)
    assert len(place.ratings()) == 3


def test_a_table_with_features_only_spark_knows_is_left_to_spark(place: Place) -> None:
    place.write("combined_data_1.txt", CLEAN)
    place.ingest()
    name = place.tables().name("bronze_ratings")
    place.spark.sql(f"ALTER TABLE {name} SET TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')")
    assert place.tables().folder_for_files("bronze_ratings") is None
    place.write("combined_data_2.txt", CLEAN)
    place.ingest()
    assert len(place.ratings()) == 6


def test_of_two_that_add_files_at_once_the_second_fails(place: Place) -> None:
    first, second = place.tables(), place.tables()
    first.adopt("bronze_ratings", [ratings_file(first, "rows-1.parquet")], replace=False)
    files = [ratings_file(tables, f"rows-{number}.parquet") for number, tables in enumerate((first, second), 2)]
    for tables in (first, second):
        tables.watch("bronze_ratings")
    looked_at = first.version("bronze_ratings")
    first.adopt("bronze_ratings", files[:1], replace=False)
    with pytest.MonkeyPatch.context() as late:
        late.setattr(Tables, "_check_unchanged", lambda *_: None)
        with pytest.raises(Exception, match=r"(?i)transaction|concurrent"):
            second.adopt("bronze_ratings", files[1:], replace=False)
    assert second.version("bronze_ratings") == (looked_at or 0) + 1
    assert len(place.ratings()) == 6


def test_files_that_were_taken_in_are_not_removed_whatever_happens_after(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.write("combined_data_1.txt", CLEAN)

    def lights_out(*_: object) -> None:
        raise RuntimeError("the lights went out")

    with monkeypatch.context() as patch:
        patch.setattr(Tables, "_written", lights_out)
        with pytest.raises(RuntimeError, match="lights"):
            place.ingest()
    assert len(place.ratings()) == 3
    assert place.ingest().rows_kept == 3
    assert len(place.ratings()) == 3


def test_a_few_rows_are_put_as_spark_would_put_them(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def metric(run_id: str, name: str, value: float | None) -> dict[str, object]:
        labels = {"run_id": run_id, "run_date": date(2005, 12, 31), "model": "als", "split": "test"}
        return labels | {"metric": name, "value": value, "rows": 7}

    def entry(step: str) -> dict[str, object]:
        at = datetime(2005, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
        texts = {"fingerprint": "it's", "outputs": '{"a": "\\\\"}', "summary": "ü\n"}
        return {"run_date": date(2005, 12, 31), "step": step, "finished_at": at} | texts

    def write(tables: Tables) -> None:
        epochs = f"run_id = 'a' AND {EPOCH_METRICS}"
        tables.put("gold_metrics", [metric("a", "rmse", 0.5), metric("b", "rmse", 0.25)], "run_id IN ('a', 'b')")
        tables.put("gold_metrics", [metric("a", "loss@epoch1", 2.0), metric("a", "best_epoch", None)], epochs)
        measures = f"run_id IN ('a') AND split = 'test' AND NOT {EPOCH_METRICS}"
        tables.put("gold_metrics", [metric("a", "mae", 0.125)], measures)
        tables.put("gold_metrics", [], "run_id = 'b'")
        for step in ("prepare", "train", "prepare"):
            tables.put("gold_steps", [entry(step)], f"run_date = DATE'2005-12-31' AND step = '{step}'")

    by_python, by_spark = (
        Tables(spark, TablesSettings(root=str(tmp_path / name), catalog="", dataset="d")) for name in ("one", "other")
    )
    write(by_python)
    with monkeypatch.context() as patch:
        patch.setattr(Tables, "folder_for_files", lambda *_: None)
        write(by_spark)
    for table in ("gold_metrics", "gold_steps"):
        told, expected = by_python.read(table), by_spark.read(table)
        assert told.schema == expected.schema
        assert sorted(map(repr, told.collect())) == sorted(map(repr, expected.collect()))
        names = ("partitionColumns", "properties", "minReaderVersion", "minWriterVersion")
        ours, theirs = (spark.sql(f"DESCRIBE DETAIL {tables.name(table)}") for tables in (by_python, by_spark))
        assert ours.select(*names).first() == theirs.select(*names).first()
    assert {row["metric"] for row in by_python.read("gold_metrics").collect()} == {"mae", "loss@epoch1", "best_epoch"}
    assert by_python.read("gold_steps").count() == 2


def test_a_row_that_does_not_meet_the_condition_is_not_put(spark: SparkSession, tmp_path: Path) -> None:
    tables = Tables(spark, TablesSettings(root=str(tmp_path), catalog="", dataset="d"))
    row = {"matched_by": "no title", "matched": False, "items": 1, "item_share": 1.0, "ratings": 1, "rating_share": 1.0}
    tables.put("silver_match_rates", [row], "items = 1")
    with pytest.raises(DeltaError, match="failed validation"):
        tables.put("silver_match_rates", [row], "items = 2")
    assert tables.read("silver_match_rates").count() == 1


def test_ids_of_another_type_than_the_tables_are_refused(spark: SparkSession, tmp_path: Path) -> None:
    tables = Tables(spark, TablesSettings(root=str(tmp_path), catalog="", dataset="d"))

    def write(ids: str, item: object) -> None:
        columns = f"run_id string, run_date date, item_id {ids}, similar_item_id {ids}, rank int, similarity float"
        rows = spark.createDataFrame([("r", date(2005, 12, 31), item, item, 1, 0.5)], columns)
        told = rows.withColumns({name: F.lit("t") for name in ("title", "similar_title")})
        tables.replace_where("gold_similar_items", told, "run_date = DATE'2005-12-31'")

    write("bigint", 1)
    with pytest.raises(TableError, match=r"item_id is bigint, and string in the rows to write: data\.ids was another"):
        write("string", "x1")
    assert [row["item_id"] for row in tables.read("gold_similar_items").collect()] == [1]
