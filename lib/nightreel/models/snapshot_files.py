"""The Parquet files that hold just the rows of a frame, for readers that are not Spark."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq
from pyspark.sql import DataFrame

from nightreel.neural.spark_files import locate


def files_of(rows: DataFrame, files: Sequence[str], *, count: int, copy: Path) -> tuple[str, ...]:
    """The files given, where they hold as many rows as the frame; else those of a copy.

    So the train split of a Delta table is read where it lies: its partition is a set of files. Where there are no
    files, or rows in them are marked as deleted, the rows are written to `copy` first.

    Parameters
    ----------
    files : of the rows as they are, if there are any; as DataFrame.inputFiles gives them
    count : rows of the frame
    copy : a folder, which every reader reaches; what lies there of an earlier attempt is taken if it is whole
    """
    if files and sum(map(_rows_in, files)) == count:
        return tuple(files)
    if not (copy / "_SUCCESS").exists() or sum(map(_rows_in, _copied(copy))) != count:
        shutil.rmtree(copy, ignore_errors=True)
        rows.write.parquet(str(copy))
    return _copied(copy)


def _copied(copy: Path) -> tuple[str, ...]:
    return tuple(sorted(str(file) for file in copy.glob("*.parquet")))


def _rows_in(file: str) -> int:
    filesystem, path = locate(file)
    with filesystem.open(path) as opened:
        return int(pq.read_metadata(opened).num_rows)
