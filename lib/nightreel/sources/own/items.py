"""A user's own items file: titles, years and genres by item."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial, reduce
from typing import IO

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from nightreel.sources.delimited.rating_lines import Ids
from nightreel.sources.delimited.values import Reason
from nightreel.sources.files import RawFile
from nightreel.sources.lines.quarantine import BOM, quarantined_text
from nightreel.sources.own.columns import csv_dialect
from nightreel.sources.own.layout import Kind, kind_of
from nightreel.sources.own.table_rows import line_of, rows_of
from nightreel.sources.records import FIRST_FIELDS, Cells, read_files, read_records, survey_of
from nightreel.sources.records.judging import rejected_repeats, rejected_where, text_or_null, whole_number
from nightreel.sources.source import Described, with_all_columns

_CELLS = ("item", "title", "year", "genres")
_SCHEMA = pa.schema([*FIRST_FIELDS, *(pa.field(name, pa.string()) for name in _CELLS)])
_GENRES_SEPARATOR = "|"


def read_items(
    spark: SparkSession,
    files: Mapping[int, RawFile],
    columns: Mapping[str, str],
    *,
    ids: Ids,
    separator: str,
    max_record_bytes: int,
) -> Described:
    """The items of files and tables, by file_id.

    Parameters
    ----------
    columns : the files' names for item, title, year and genres, as far as they have them
    ids : the type of item_id
    """
    no_items = spark.createDataFrame([], "file_id int, position bigint, line string, reason string, item string")
    read = [
        _records(spark, file_id, file, columns, separator=separator, max_record_bytes=max_record_bytes)
        for file_id, file in sorted(files.items())
    ]
    records = reduce(lambda above, below: above.unionByName(below, allowMissingColumns=True), [no_items, *read])
    missing = [F.lit(None).cast("string").alias(name) for name in _CELLS if name not in records.columns]
    judged = _judged(records.select("*", *missing), ids)
    good = judged.where(F.col("reason").isNull()).select("item_id", "title", "year", "genres")
    return Described(judged, with_all_columns(good, "bronze_items"), survey_of(judged))


def _records(
    spark: SparkSession,
    file_id: int,
    file: RawFile,
    columns: Mapping[str, str],
    *,
    separator: str,
    max_record_bytes: int,
) -> DataFrame:
    """Columns file_id, position, line, reason, and those of _CELLS that the settings name."""
    first = [field.name for field in FIRST_FIELDS]
    match kind_of(file):
        case Kind.CSV:
            dialect = csv_dialect(file, separator)
            rows = read_records(spark, {file_id: file}, dialect, [*columns.values()], max_record_bytes=max_record_bytes)
            return rows.toDF(*first, *columns)  # by place: a column of the file may be called as one of `first`
        case Kind.JSON:
            read = partial(_of_json, columns=dict(columns), max_line_bytes=max_record_bytes)
            return read_files(spark, {file_id: file}, read, _SCHEMA)
        case _:
            (rows,) = rows_of(spark, {file_id: file}, columns)
            cells = [_as_text(cell, rows.schema[cell].dataType).alias(cell) for cell in columns]
            line, reason = line_of(columns).alias("line"), F.lit(None).cast("string").alias("reason")
            return rows.select("file_id", "position", line, reason, *cells)


def _as_text(column: str, of_type: T.DataType) -> Column:
    if isinstance(of_type, T.ArrayType):
        return F.array_join(F.col(column).cast("array<string>"), _GENRES_SEPARATOR)
    return F.col(column).cast("string")


def _of_json(stream: IO[bytes], *, columns: Mapping[str, str], max_line_bytes: int) -> Iterator[Cells]:
    position = 0
    for line in iter(stream.readline, b""):
        shown = quarantined_text(line.rstrip(b"\r\n"))
        record = _json_object(line.removeprefix(BOM)) if len(line) <= max_line_bytes else Reason.TOO_LONG
        if line.strip():
            if isinstance(record, Reason):
                yield (position, shown, record, *[None] * len(_CELLS))
            else:
                yield (position, shown, None, *(_text(record.get(columns.get(cell, ""))) for cell in _CELLS))
        position += len(line)


def _json_object(line: bytes) -> dict[str, object] | Reason:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return Reason.JSON
    return record if isinstance(record, dict) else Reason.JSON


def _text(value: object) -> str | None:
    if isinstance(value, list):
        return _GENRES_SEPARATOR.join(str(one) for one in value)
    return None if value is None else str(value).encode("utf-8", "replace").decode()


def _judged(records: DataFrame, ids: Ids) -> DataFrame:
    """The records with item_id, title, year and genres as bronze_items has them; of an item the first counts."""
    number = ids == "bigint"
    names = F.transform(F.split("genres", rf"\{_GENRES_SEPARATOR}"), F.trim)
    told = records.withColumns(
        {
            "item_id": whole_number("item") if number else text_or_null("item"),
            "title": text_or_null("title"),
            "year": F.regexp_extract("year", r"^\s*([0-9]{4})(\.0*)?\s*$", 1).try_cast("int"),
            "genres": F.filter(names, lambda name: name != ""),
        }
    )
    reason = Reason.ITEM_NUMBER if number else Reason.ITEM_TEXT
    return rejected_repeats(rejected_where(told, F.col("item_id").isNull(), str(reason)), "item_id")
