"""Rows of a user's own files and tables, whatever the format, read by Spark."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from nightreel.settings import DataSettings
from nightreel.sources.files import RawFile
from nightreel.sources.own.files import Kind, columns_of, csv_columns, kind_of, partitions_of, separator_of, spark_type
from nightreel.sources.survey import SHOWN_CHARACTERS

_LARGEST_FIELD = 1_000_000
_LARGE_FILE = 67_108_864
_RECORD = "nightreel record"
_PLAIN = re.compile(r"[A-Za-z0-9._=-]+")
_PATTERN_SIGN = re.compile(r"[\[\]{}*?\\]")
_NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"


class NoRecord(StrEnum):
    """Why something is no record of its file."""

    FIELDS = "another number of fields than the file has"
    QUOTES = "a quote that is not closed, or not written as data.escape says"
    JSON = "not a JSON object"
    NESTED = "an id that is an object or a list"


def rows_of(
    spark: SparkSession, files: Mapping[int, RawFile], columns: Mapping[str, str], data: DataSettings
) -> list[DataFrame]:
    """The rows of files and tables, by file_id; those of files of the same form are read together.

    Returns
    -------
    grain row; the columns of these names, each called as its key, file_id int, position bigint: the row's number in
    its Parquet file, else where the row stands in the order in which Spark reads files of its form (from 0, with gaps);
    record string (its text where that is no good record, else null), reason string (what is wrong with that)
    """
    alike: dict[tuple[object, ...], dict[int, RawFile]] = {}
    for file_id, file in sorted(files.items()):
        alike.setdefault(_alike(file, columns, data), {})[file_id] = file
    return [_rows(spark, group, columns, data) for group in alike.values()]


def _alike(file: RawFile, columns: Mapping[str, str], data: DataSettings) -> tuple[object, ...]:
    """The same for files that one read can tell apart by the last parts of their paths: odd signs come back encoded."""
    kind, depth = kind_of(file), _depth(file)
    if kind in {Kind.DELTA, Kind.CATALOG} or not all(map(_PLAIN.fullmatch, file.path.split("/")[-depth:])):
        return (file.path,)
    has = columns_of(file, data) or {}
    form = csv_columns(file, data) if kind is Kind.CSV else tuple(has.get(name) for name in columns.values())
    return (kind, file.path.rsplit("/", depth)[0], depth, separator_of(file, data), *form)


def _depth(file: RawFile) -> int:
    """How many of the last parts of its path tell a file from others: its name, and its partitions before that."""
    folders = file.path.split("/")[-2::-1]
    return 1 + next((place for place, name in enumerate(folders) if "=" not in name), 0)


def _rows(
    spark: SparkSession, files: Mapping[int, RawFile], columns: Mapping[str, str], data: DataSettings
) -> DataFrame:
    """Files of which `_alike` says the same; see `rows_of`."""
    file = next(iter(files.values()))
    types = columns_of(file, data) or {}
    own = [name for name in columns.values() if types.get(name) or name not in partitions_of(file)]
    paths = [_literal(_for_spark(one.path)) for one in files.values()]
    cells = {role: _cell(name, types.get(name, "")) for role, name in columns.items()}
    position = F.monotonically_increasing_id()
    record = reason = F.lit(None).cast("string")
    match kind_of(file):
        case Kind.CSV:
            names = csv_columns(file, data)
            own = [name for name in columns.values() if name in names]
            cells = {role: F.col(f"c{names.index(name)}") for role, name in columns.items() if name in names}
            is_large = any(one.size > _LARGE_FILE for one in files.values())
            read, record, reason = _of_csv(spark, paths, len(names), separator_of(file, data), data, is_large=is_large)
        case Kind.JSON:
            schema = ", ".join(f"{_quoted(name)} string" for name in (*own, _RECORD))
            read = spark.read.schema(schema).json(paths, mode="PERMISSIVE", columnNameOfCorruptRecord=_RECORD)
            record = F.col(f"`{_RECORD}`")
            ids = [columns[role] for role in ("user", "item") if columns.get(role) in own]
            nested = F.greatest(F.lit(False), F.lit(False), *(_is_nested(F.col(_quoted(name))) for name in ids))
            reason = F.when(record.isNotNull(), str(NoRecord.JSON)).when(nested, str(NoRecord.NESTED))
        case Kind.PARQUET:
            schema = ", ".join(f"{_quoted(name)} {spark_type(types[name])}" for name in own)
            read = spark.read.schema(schema).parquet(*paths)
            position = F.col("_metadata.row_index")
        case Kind.DELTA:
            read = spark.read.format("delta").option("versionAsOf", file.size).load(_for_spark(file.folder))
        case Kind.CATALOG:
            read = spark.read.option("versionAsOf", file.size).table(file.path)
    cells |= {role: _partition(name) for role, name in columns.items() if name not in own}
    told = {**cells, "file_id": _file_id(files), "position": position, "record": record, "reason": reason}
    return read.select(*(cell.alias(name) for name, cell in told.items()))


def _of_csv(
    spark: SparkSession, paths: list[str], width: int, separator: str, data: DataSettings, *, is_large: bool
) -> tuple[DataFrame, Column, Column]:
    """Rows of CSV files with the same header, their columns c0, c1, ...; the text of what is no record; and the reason.

    Records may hold line breaks in quotes, so that a file is one task. Their form is checked against their text: Spark
    gives it where a record is malformed, and with a column more than the file has every record is. Large files without
    any quote are split among tasks.
    """
    plain = is_large and spark.read.text(paths).where(F.contains("value", F.lit('"'))).isEmpty()
    fields = [f"c{place}" for place in range(width + (0 if plain else 1))]
    schema = ", ".join(f"`{name}` string" for name in (*fields, _RECORD))
    read = (
        spark.read.schema(schema)
        .option("columnPruning", "false")
        .csv(  # else not every wrong record is noticed
            paths,
            mode="PERMISSIVE",
            columnNameOfCorruptRecord=_RECORD,
            sep=separator,
            quote="" if plain else '"',
            escape='"' if data.escape == "double" else "\\",
            unescapedQuoteHandling="STOP_AT_CLOSING_QUOTE",  # a line within an open quote is never a record
            header=data.header,
            lineSep="\n",
            multiLine=not plain,
            ignoreLeadingWhiteSpace=True,
            ignoreTrailingWhiteSpace=True,
            maxCharsPerColumn=_LARGEST_FIELD,
        )
    )
    record = F.col(f"`{_RECORD}`")
    if plain:
        return read, record, F.when(record.isNotNull(), str(NoRecord.FIELDS))
    form = _form(record, separator, data.escape)
    wrong = F.when(form.rlike("^x*$"), str(NoRecord.FIELDS)).otherwise(str(NoRecord.QUOTES))
    reason = F.when(record.isNull(), str(NoRecord.FIELDS)).when(form != "x" * width, wrong)
    text = F.coalesce(record, F.concat_ws(separator, *(F.coalesce(name, F.lit("")) for name in fields)))
    return read.where(record.isNull() | ~record.rlike(r"^\s*$")), F.when(reason.isNotNull(), text), reason


def _form(record: Column, separator: str, escape: str) -> Column:
    """An x for each field of a CSV record; something else behind them where one is not quoted as it must be."""
    between = rf"\Q{separator}\E"
    blanks = rf"(?:(?!{between})[\x00-\x20])*+"
    inside = '(?:[^"]|"")*+' if escape == "double" else r'(?:[^"\\]|\\.)*+'
    quoted = rf'"{inside}"{blanks}(?={between}|\z)'
    bare = rf'(?!{blanks}")(?:(?!{between})[^\n])*+'
    field = rf"(?s)\G{between}(?:{blanks}{quoted}|{bare})"
    return F.regexp_replace(F.concat(F.lit(separator), record), F.lit(field), F.lit("x"))


def _file_id(files: Mapping[int, RawFile]) -> Column:
    if len(files) == 1:
        return F.lit(next(iter(files)))
    depth = _depth(next(iter(files.values())))
    named = {"/".join(file.path.split("/")[-depth:]): file_id for file_id, file in files.items()}
    ids = F.create_map(*(F.lit(part) for pair in named.items() for part in pair))
    return ids[F.substring_index("_metadata.file_path", "/", -depth)]


def _cell(name: str, arrow: str) -> Column:
    if arrow.startswith("timestamp[ns"):
        quoted = _quoted(name)
        return F.timestamp_micros(F.expr(f"({quoted} - pmod({quoted}, 1000)) div 1000"))
    return F.col(_quoted(name))


def _partition(name: str) -> Column:
    """The value that a file's folder gives to a column."""
    value = F.regexp_extract("_metadata.file_path", rf"/\Q{name}\E=([^/]*)/", 1)
    for _ in ("as part of the path", "as Hive writes it"):
        value = F.try_url_decode(F.regexp_replace(value, r"\+", "%2B"))
    return F.nullif(value, F.lit(_NULL_PARTITION))


def _is_nested(column: Column) -> Column:
    return F.coalesce(column.rlike(r"^[\[{]") & F.get_json_object(column, "$").isNotNull(), F.lit(False))


def _literal(path: str) -> str:
    """A path as Spark takes it without seeing a pattern in it."""
    return _PATTERN_SIGN.sub(r"\\\g<0>", path)


def _for_spark(path: str) -> str:
    """An fsspec path as Hadoop knows it."""
    return path.replace("s3://", "s3a://", 1) if path.startswith("s3://") else path


def _quoted(name: str) -> str:
    return f"`{name.replace('`', '``')}`"


def line_of(columns: Mapping[str, str]) -> Column:
    """For quarantine a row's text, else its columns as JSON under their own names; cut."""
    named = F.struct(*(F.col(called).alias(name) for called, name in columns.items()))
    text = F.coalesce("record", F.to_json(named, {"ignoreNullFields": "false"}))
    return F.substring(text, 1, SHOWN_CHARACTERS)
