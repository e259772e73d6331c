"""Exceptions of others as one line."""

from __future__ import annotations

from nightreel.errors import DataError, NightreelError, TableError
from nightreel.job.faults import explain

FROM_A_WORKER = """[UDF_ERROR] Traceback (most recent call last):
  File "worker.py", line 1, in main
    process()
nightreel.errors.DataError: /networks/run: holds the weights of another training

	at org.apache.spark.sql.Dataset
"""


def test_an_error_of_ours_that_a_worker_raised_keeps_its_line() -> None:
    explained = explain(RuntimeError(FROM_A_WORKER), root="tables")
    assert str(explained) == "/networks/run: holds the weights of another training"
    assert isinstance(explained, NightreelError)


def test_our_own_errors_stay_as_they_are() -> None:
    error = DataError("no rows")
    assert explain(error, root="tables") is error


def test_a_full_disk_names_the_root() -> None:
    explained = explain(RuntimeError("java.io.IOException: No space left on device"), root="/tables")
    assert isinstance(explained, TableError)
    assert str(explained).startswith("tables.root = /tables: no space left")


def test_what_nobody_foresaw_keeps_its_type_and_first_line() -> None:
    assert str(explain(ValueError("first\nsecond"), root="tables")) == "ValueError: first"


OF_SPARK = """An error occurred while calling o146.isEmpty.
: org.apache.spark.SparkException: [FAILED_READ_FILE.NO_HINT] Encountered error while reading file {path}.  SQLSTATE
\tat org.apache.spark.sql.Dataset
Caused by: java.lang.RuntimeException: {path} is not a Parquet file. Expected magic number at tail, but found [1, 2]
\tat org.apache.parquet
"""


def test_a_broken_file_is_named_with_its_table_and_what_to_do() -> None:
    path = "file:/my/tables/netflix/bronze_ratings/rows-1.parquet"
    explained = explain(RuntimeError(OF_SPARK.format(path=path)), root="/my/tables")
    assert isinstance(explained, TableError)
    assert str(explained) == (
        "/my/tables/netflix/bronze_ratings/rows-1.parquet: cannot be read, a file of bronze_ratings; put back a copy, "
        "or remove the table's folder: ingest writes it anew (it is not a Parquet file. Expected magic number at tail, "
        "but found [1, 2])"
    )
    log = explain(RuntimeError(OF_SPARK.format(path="file:///t/n/gold_runs/_delta_log/01.json")), root="/t")
    assert str(log).startswith(
        "/t/n/gold_runs/_delta_log/01.json: cannot be read, its log of gold_runs; put back a copy"
    )


def test_what_java_says_comes_without_what_was_called() -> None:
    said = "An error occurred while calling o3855.save.\n: java.lang.IllegalStateException: no more\n\tat x"
    assert str(explain(ValueError(said), root="t")) == "ValueError: java.lang.IllegalStateException: no more"


def test_a_jvm_that_ended_says_what_was_likely() -> None:
    explained = explain(RuntimeError("py4j.protocol.Py4JNetworkError: Answer from Java side is empty"), root="t")
    assert str(explained).startswith("Spark's JVM ended: it was killed, or the machine has too little memory")
