"""Rows of a user's own files and tables, whatever the format, read by Spark."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from nightreel.settings import DataSettings
from nightreel.sources.files import RawFile
from nightreel.sources.own.files import Kind, columns_of, csv_columns, kind_of, separator_of, spark_type
from nightreel.sources.survey import SHOWN_CHARACTERS

_LARGEST_FIELD = 1_000_000
_LARGE_FILE = 67_108_864
_RECORD = "nightreel record"
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

    Grain row; the columns of these names, each called as its key, file_id int, position bigint: the row's number in
    its Parquet file, else where the row stands in the order in which Spark reads files of its form (from 0, with gaps);
    record string (its text where that is no good record, else null), reason string (what is wrong with that).
    """
    alike: dict[tuple[object, ...], dict[int, RawFile]] = {}
    for file_id, file in sorted(files.items()):
        has, form = columns_of(file, data) or {}, csv_columns(file, data) if kind_of(file) is Kind.CSV else ()
        types = tuple(has.get(name) for name in columns.values())
        inside = _inside(file)
        # Spark reads files together where their partitions begin in the same folder.
        shape = (file.path.removesuffix(inside), inside.count("/"), kind_of(file), separator_of(file, data))
        alike.setdefault((*shape, types, form), {})[file_id] = file
    return [_rows(spark, group, columns, data) for group in alike.values()]


def _inside(file: RawFile) -> str:
    """The last parts of a file's path: its partitions and its name. Tables are never read together."""
    if kind_of(file) in {Kind.DELTA, Kind.CATALOG}:
        return ""
    return file.path.removeprefix(re.sub(r"(?:[^/=]+=[^/]*/)*[^/]*$", "", file.path))


def _rows(
    spark: SparkSession, files: Mapping[int, RawFile], columns: Mapping[str, str], data: DataSettings
) -> DataFrame:
    """Files of the same form; see `rows_of`."""
    file = next(iter(files.values()))
    types = columns_of(file, data) or {}
    own = {role: name for role, name in columns.items() if types.get(name, "unknown")}
    cells = {role: _cell(name, types.get(name, "")) for role, name in own.items()}
    paths = [_PATTERN_SIGN.sub(r"\\\g<0>", _for_spark(one.path)) for one in files.values()]
    position = F.monotonically_increasing_id()
    record = reason = F.lit(None).cast("string")
    match kind_of(file):
        case Kind.CSV:
            names = csv_columns(file, data)
            cells = {role: F.col(f"c{names.index(name)}") for role, name in own.items()}
            is_large = any(one.size > _LARGE_FILE for one in files.values())
            read, record, reason = _of_csv(spark, paths, len(names), separator_of(file, data), data, is_large=is_large)
        case Kind.JSON:
            schema = ", ".join(f"{_quoted(name)} string" for name in (*own.values(), _RECORD))
            read = spark.read.schema(schema).json(paths, mode="PERMISSIVE", columnNameOfCorruptRecord=_RECORD)
            record = F.col(_quoted(_RECORD))
            reason = F.when(record.isNotNull(), str(NoRecord.JSON))
            for role in {"user", "item"} & {*own}:
                is_nested = cells[role].rlike(r"^[\[{]") & F.get_json_object(cells[role], "$").isNotNull()
                reason = reason.when(is_nested, str(NoRecord.NESTED))
        case Kind.PARQUET:
            schema = ", ".join(f"{_quoted(name)} {spark_type(types[name])}" for name in own.values())
            read = spark.read.schema(schema).parquet(*paths)
            position = F.col("_metadata.row_index")
        case Kind.DELTA:
            read = spark.read.format("delta").option("versionAsOf", file.size).load(_for_spark(file.folder))
        case Kind.CATALOG:
            read = spark.read.option("versionAsOf", file.size).table(file.path)
    cells |= {role: _partition(name) for role, name in columns.items() if role not in own}
    wanted = {**cells, "file_id": _file_id(files), "position": position, "record": record, "reason": reason}
    return read.select(*(cell.alias(name) for name, cell in wanted.items()))


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
    reader = spark.read.schema(schema).option("columnPruning", "false")  # else not every wrong record is noticed
    read = reader.csv(
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
    record = F.col(f"`{_RECORD}`")
    if plain:
        return read, record, F.when(record.isNotNull(), str(NoRecord.FIELDS))
    form = _form(record, separator, data.escape)
    wrong = F.when(form.rlike("^x*$"), str(NoRecord.FIELDS)).otherwise(str(NoRecord.QUOTES))
    reason = F.when(record.isNull(), str(NoRecord.FIELDS)).when(form != "x" * width, wrong)
    text = F.coalesce(record, F.concat_ws(separator, *(F.coalesce(name, F.lit("")) for name in fields)))
    return read.where(record.isNull() | ~record.rlike(r"^\s*$")), F.when(reason.isNotNull(), text), reason


def _form(record: Column, separator: str, escape: str) -> Column:
    """One x for each well-formed field; anything else left shows where the record breaks its format."""
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
    named = {_inside(file): file_id for file_id, file in files.items()}
    ids = F.create_map(*(F.lit(part) for pair in named.items() for part in pair))
    depth = 1 + next(iter(named)).count("/")
    return ids[_decoded(F.substring_index("_metadata.file_path", "/", -depth))]


def _cell(name: str, arrow: str) -> Column:
    if arrow.startswith("timestamp[ns"):
        quoted = _quoted(name)
        return F.timestamp_micros(F.expr(f"({quoted} - pmod({quoted}, 1000)) div 1000"))
    return F.col(_quoted(name))


def _partition(name: str) -> Column:
    """The value that a file's folder gives to a column."""
    value = F.regexp_extract(_decoded(F.col("_metadata.file_path")), rf"/\Q{name}\E=([^/]*)/", 1)
    return F.nullif(_decoded(value), F.lit(_NULL_PARTITION))  # Hive encodes it too


def _decoded(path: Column) -> Column:
    """A path as it is: Spark gives it encoded, but for plus signs."""
    return F.try_url_decode(F.regexp_replace(path, r"\+", "%2B"))


def _for_spark(path: str) -> str:
    """An fsspec path as Hadoop knows it."""
    return re.sub("^s3://", "s3a://", path)


def _quoted(name: str) -> str:
    return f"`{name.replace('`', '``')}`"


def line_of(columns: Mapping[str, str]) -> Column:
    """For quarantine a row's text, else its columns as JSON under their own names; cut."""
    named = F.struct(*(F.col(called).alias(name) for called, name in columns.items()))
    text = F.coalesce("record", F.to_json(named, {"ignoreNullFields": "false"}))
    return F.substring(text, 1, SHOWN_CHARACTERS)
