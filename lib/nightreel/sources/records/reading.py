"""Files of records as a DataFrame: one Spark task reads a file from its first byte to its last."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import IO

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from nightreel.errors import DataError
from nightreel.sources.files import RawFile
from nightreel.sources.lines.segments import FAULTS, Segment, open_lines
from nightreel.sources.records.columns import Columns, Row, header_names, read_columns
from nightreel.sources.records.dialect import Dialect
from nightreel.sources.records.parse import parse_records
from nightreel.sources.source import UNREADABLE

_ROWS_PER_BATCH = 1_024
_MAX_HEADER_BYTES = 1_048_576

FIRST_FIELDS = (
    pa.field("file_id", pa.int32()),
    pa.field("position", pa.int64()),
    pa.field("line", pa.string()),
    pa.field("reason", pa.string()),
)
"""What the rows of every file of records begin with."""

Cells = Sequence[object]
"""A row without its file_id, in the order of the schema."""


def read_records(
    spark: SparkSession,
    files: Mapping[int, RawFile],
    dialect: Dialect,
    columns: Sequence[str],
    *,
    optional: Collection[str] = (),
    max_record_bytes: int,
) -> DataFrame:
    """The records of files that have the same columns.

    Parameters
    ----------
    columns : the header's names of the columns to read; without a header, names for all of a record's fields
    optional : those of `columns` that a file's header may lack, null there

    Returns
    -------
    grain record, bad ones included; file_id int, position bigint (offset of its first byte in the unpacked file),
    line string (its text, cut at 1,000 characters), reason string (null in good ones), then a string column for each
    of `columns`. A file that cannot be read to its end has a row more, with reason UNREADABLE
    """
    read = partial(_cells, dialect=dialect, columns=Columns(columns, optional), max_record_bytes=max_record_bytes)
    # A file's column may be called as one of the first fields: the names are given once the rows are there.
    cells = [pa.field(f"cell{place}", pa.string()) for place in range(len(columns))]
    rows = read_files(spark, files, read, pa.schema([*FIRST_FIELDS, *cells]))
    return rows.toDF(*(field.name for field in FIRST_FIELDS), *columns)


def survey_of(records: DataFrame) -> DataFrame:
    """What a survey tells of records: see nightreel.sources.source.SURVEY_COLUMNS.

    Parameters
    ----------
    records : columns file_id, position, line, reason; a record without a reason is good
    """
    rejected = F.col("reason").isNotNull()
    return records.select(
        "file_id",
        F.when(rejected, F.col("position")).alias("position"),
        F.when(rejected, F.col("line")).alias("line"),
        "reason",
        F.lit(1).cast("bigint").alias("lines"),
    )


def names_in_header(file: RawFile, dialect: Dialect) -> tuple[str, ...]:
    """The columns' names in the first record of a file; none where it is empty, or no record.

    Raises
    ------
    DataError : the file cannot be read
    """
    try:
        with _open(file.path) as stream:
            records = parse_records(stream, dialect, width=None, max_record_bytes=_MAX_HEADER_BYTES)
            return next((header_names(record) for record in records), ())
    except FAULTS as error:
        raise DataError(f"{file.path}: {UNREADABLE}: {error}") from None


def read_files(
    spark: SparkSession, files: Mapping[int, RawFile], read: Callable[[IO[bytes]], Iterator[Cells]], schema: pa.Schema
) -> DataFrame:
    """The rows that `read`, which travels to the executors, makes of each file's unpacked bytes.

    Parameters
    ----------
    schema : of the rows; it begins with FIRST_FIELDS. A file that cannot be read to its end has a row more, with
        reason UNREADABLE
    """
    paths = [(file_id, file.path) for file_id, file in sorted(files.items())]
    places = spark.range(0, len(paths), 1, max(1, len(paths)))
    return places.mapInArrow(partial(_read_places, paths=paths, read=read, schema=schema), from_arrow_schema(schema))


def _read_places(
    places: Iterable[pa.RecordBatch],
    *,
    paths: Sequence[tuple[int, str]],
    read: Callable[[IO[bytes]], Iterator[Cells]],
    schema: pa.Schema,
) -> Iterator[pa.RecordBatch]:
    for place in (place for batch in places for place in batch.column(0).to_pylist()):
        file_id, path = paths[place]
        rows = ((file_id, *cells) for cells in _read_or_fault(path, read, width=len(schema) - 1))
        while some := list(islice(rows, _ROWS_PER_BATCH)):
            columns = zip(*some, strict=True)
            yield pa.record_batch(
                [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema=schema
            )


def _read_or_fault(path: str, read: Callable[[IO[bytes]], Iterator[Cells]], *, width: int) -> Iterator[Cells]:
    """The file's rows, and last what kept it from being read to its end."""
    try:
        with _open(path) as stream:
            yield from read(stream)
    except FAULTS as error:
        yield (-1, str(error), UNREADABLE, *[None] * (width - 3))


def _cells(stream: IO[bytes], dialect: Dialect, columns: Columns, max_record_bytes: int) -> Iterator[Cells]:
    for row in read_columns(stream, dialect, columns, max_record_bytes=max_record_bytes):
        if isinstance(row, Row):
            yield (row.position, row.line, None, *row.values)
        else:
            yield (row.position, row.line, row.reason, *[None] * len(columns.names))


def _open(path: str) -> IO[bytes]:
    return open_lines(Segment(0, path, 0, 0))
