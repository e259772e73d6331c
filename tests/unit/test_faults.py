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
