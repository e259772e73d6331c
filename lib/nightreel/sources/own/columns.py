"""The columns that a file or table has, and where among them those that the settings name are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import islice

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from pyspark.sql import SparkSession

from nightreel.errors import ConfigurationError, DataError
from nightreel.sources.files import RawFile, open_bytes
from nightreel.sources.lines.segments import Segment, open_lines
from nightreel.sources.lines.tasks import FAULTS
from nightreel.sources.own.layout import Kind, kind_of, separator_of
from nightreel.sources.records import UTF8_OR_LATIN1, Dialect, names_in_header
from nightreel.sources.source import UNREADABLE

TEXT = "text"
"""The type of the columns of files that are text."""

_LINES_LOOKED_AT = 100
_LONGEST_LINE = 1_048_576
_COLUMNS_SHOWN = 30
_FILES_KNOWN = 4_096


def columns_of(file: RawFile, separator: str) -> Mapping[str, str] | None:
    """The file's columns with their types: TEXT in CSV and JSON lines, else as Arrow or Spark names them.

    Of JSON lines those that the first hundred have. None: a table that cannot be looked into without Spark.

    Raises
    ------
    DataError : the file cannot be read, or has no columns
    """
    try:
        match kind_of(file):
            case Kind.CSV:
                columns: Mapping[str, str] | None = dict.fromkeys(header_of(file, separator), TEXT)
            case Kind.JSON:
                columns = dict.fromkeys(_keys(file), TEXT)
            case Kind.PARQUET:
                with open_bytes(file.path) as stream:
                    columns = {field.name: str(field.type) for field in pq.read_schema(stream)}
            case Kind.DELTA:
                columns = _of_delta(file)
            case Kind.CATALOG:
                spark = SparkSession.getActiveSession()
                columns = dict(spark.table(file.path).dtypes) if spark else None
    except (*FAULTS, pa.ArrowInvalid) as error:
        raise DataError(f"{file.path}: {UNREADABLE}: {error}") from None
    if columns is not None and not columns:
        raise DataError(f"{file.path}: has no columns: it is empty, or no {kind_of(file)}")
    return columns


@lru_cache(_FILES_KNOWN)  # asked by every way of reading the file
def header_of(file: RawFile, separator: str) -> tuple[str, ...]:
    """The names in the first line of a CSV file, of which some may be the same."""
    return names_in_header(file, csv_dialect(file, separator))


def csv_dialect(file: RawFile, separator: str) -> Dialect:
    return Dialect(separator_of(file, separator), quoted=True, header=True, encoding=UTF8_OR_LATIN1)


def check_columns(file: RawFile, columns: Mapping[str, str], wanted: Mapping[str, str], *, setting: str) -> None:
    """Raise ConfigurationError for the first of `wanted`, names by their setting's last word, that is no column."""
    for role, name in wanted.items():
        if name not in columns:
            names = [*columns]
            more = f" and {len(names) - _COLUMNS_SHOWN} more" if len(names) > _COLUMNS_SHOWN else ""
            raise ConfigurationError(
                f"{setting}.{role} = {name!r}: no such column in {file.path}; "
                f"it has {', '.join(names[:_COLUMNS_SHOWN])}{more}"
            )
    if len(set(wanted.values())) < len(wanted):
        raise ConfigurationError(f"{setting}: {dict(wanted)}: two of these are the same column")


def _keys(file: RawFile) -> Sequence[str]:
    found: dict[str, None] = {}
    with open_lines(Segment(0, file.path, 0, file.size)) as stream:
        for line in islice(iter(lambda: stream.readline(_LONGEST_LINE), b""), _LINES_LOOKED_AT):
            try:
                record = json.loads(line.removeprefix(b"\xef\xbb\xbf"))
            except (ValueError, RecursionError):
                continue
            found |= dict.fromkeys(record if isinstance(record, dict) else ())
    return [*found]


def _of_delta(file: RawFile) -> Mapping[str, str] | None:
    try:
        return {field.name: getattr(field.type, "type", "nested") for field in DeltaTable(file.folder).schema().fields}
    except (DeltaError, OSError):
        spark = SparkSession.getActiveSession()  # which may have ways to the table that delta-rs lacks
        return dict(spark.read.format("delta").load(file.folder).dtypes) if spark else None
