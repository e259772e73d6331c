"""Rows of Parquet files and Delta tables as ratings, good and bad."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from nightreel.sources.delimited.rating_lines import SMALLEST_WEIGHT, Ids
from nightreel.sources.delimited.times import FIRST_MICROS, ISO_8601, LAST_MICROS, MILLISECONDS_FROM
from nightreel.sources.delimited.values import Reason
from nightreel.sources.files import RawFile
from nightreel.sources.lines.quarantine import SHOWN_CHARACTERS
from nightreel.sources.own.columns import columns_of
from nightreel.sources.own.layout import Kind, kind_of

_PLAIN = re.compile(r"[A-Za-z0-9._-]+")
_PATTERN_SIGN = re.compile(r"[\[\]{}*?\\]")
_CONTROL = r"[\x00-\x1f\x7f]"
_SECONDS = r"^-?[0-9]{1,15}(\.[0-9]+)?$"


@dataclass(frozen=True)
class RowForm:
    """How rows are ratings."""

    columns: Mapping[str, str]
    """The columns' names by what they are: user, item, and, where there are such, rating and time."""
    ids: Ids
    bounds: tuple[float, float]
    above_zero: bool


def judged(spark: SparkSession, files: Mapping[int, RawFile], form: RowForm) -> DataFrame:
    """The rows of the files and tables, by file_id.

    Returns
    -------
    grain row; user_id, item_id, rating float, rated_at timestamp, file_id int, position bigint (see `rows_of`), line
    string (the columns read, as JSON), reason string (null in good rows)
    """
    return reduce(
        lambda above, below: above.unionByName(below),
        [_judged(rows, form) for rows in rows_of(spark, files, form.columns)],
    )


def survey_of(rows: DataFrame) -> DataFrame:
    """What a survey tells of judged rows (see nightreel.sources.source.Source.survey): one row for each rejected one,
    and for each file's good ones."""
    rejected = F.col("reason").isNotNull()
    told = {name: F.when(rejected, F.col(name)).alias(name) for name in ("position", "line")}
    counted = rows.select("file_id", "reason", *told.values()).groupBy("file_id", "reason", *told)
    return counted.agg(F.count(F.lit(1)).alias("lines")).select(
        "file_id", "position", "line", "reason", "lines", F.lit(None).cast("string").alias("written")
    )


def ratings_of(rows: DataFrame) -> DataFrame:
    """The good ones of judged rows, with the columns of bronze_ratings."""
    return rows.where(F.col("reason").isNull()).select("user_id", "item_id", "rating", "rated_at", "file_id")


def rows_of(spark: SparkSession, files: Mapping[int, RawFile], columns: Mapping[str, str]) -> list[DataFrame]:
    """The rows of files and tables, by file_id, those of a folder's Parquet files of the same types together.

    Returns
    -------
    grain row; the columns of these names, each called as its key, file_id int, position bigint: the row's number in
    its Parquet file, and of a table where it stands in the order in which Spark reads that version
    """
    renamed = [F.col(_quoted(name)).alias(called) for called, name in columns.items()]
    alike: dict[tuple[str, ...], dict[int, RawFile]] = {}
    rows = []
    for file_id, file in sorted(files.items()):
        if kind_of(file) is Kind.PARQUET:
            alike.setdefault(_alike(file, columns), {})[file_id] = file
            continue
        reader = spark.read.format("delta").option("versionAsOf", file.size)
        is_path = kind_of(file) is Kind.DELTA
        read = reader.load(_for_spark(file.folder)) if is_path else reader.table(file.path)
        position = F.monotonically_increasing_id().alias("position")
        rows.append(read.select(*renamed, position, F.lit(file_id).alias("file_id")))
    for group in alike.values():
        read = spark.read.parquet(*(_literal(_for_spark(file.path)) for file in group.values()))
        position = F.col("_metadata.row_index").alias("position")
        rows.append(read.select(*renamed, position, _file_id(group).alias("file_id")))
    return rows


def _alike(file: RawFile, columns: Mapping[str, str]) -> tuple[str, ...]:
    """The same for Parquet files that one read can tell apart by their names: other signs come back encoded."""
    if not _PLAIN.fullmatch(file.name):
        return (file.path,)
    types = columns_of(file, "") or {}
    return (file.folder, *(types.get(name, "") for name in columns.values()))


def _file_id(group: Mapping[int, RawFile]) -> Column:
    if len(group) == 1:
        return F.lit(next(iter(group)))
    ids = F.create_map(*(F.lit(part) for file_id, file in group.items() for part in (file.name, file_id)))
    return ids[F.col("_metadata.file_name")]


def _literal(path: str) -> str:
    """A path as Spark takes it without seeing a pattern in it."""
    return _PATTERN_SIGN.sub(r"\\\g<0>", path)


def _for_spark(path: str) -> str:
    """An fsspec path as Hadoop knows it."""
    return path.replace("s3://", "s3a://", 1) if path.startswith("s3://") else path


def _quoted(name: str) -> str:
    return f"`{name.replace('`', '``')}`"


def line_of(columns: Mapping[str, str]) -> Column:
    """The columns of a row of `rows_of` as JSON under their own names, for quarantine."""
    named = F.struct(*(F.col(called).alias(name) for called, name in columns.items()))
    return F.substring(F.to_json(named, {"ignoreNullFields": "false"}), 1, SHOWN_CHARACTERS)


def _judged(rows: DataFrame, form: RowForm) -> DataFrame:
    rows = rows.select("*").withColumns({name: _plain_number(rows, name) for name in ("user", "item")})
    user_id, item_id = _id("user", form.ids), _id("item", form.ids)
    rating = F.col("rating").try_cast("double") if "rating" in form.columns else F.lit(1.0)
    given, micros = _time(rows)
    lowest, highest = form.bounds
    numbers = form.ids == "bigint"
    reason = (
        F.when(_text("user").isNull(), str(Reason.NO_USER))
        .when(_text("item").isNull(), str(Reason.NO_ITEM))
        .when(user_id.isNull(), str(Reason.USER_NUMBER if numbers else Reason.USER_TEXT))
        .when(item_id.isNull(), str(Reason.ITEM_NUMBER if numbers else Reason.ITEM_TEXT))
        .when(rating.isNull() | F.isnan(rating), str(Reason.RATING))
        .when((rating < SMALLEST_WEIGHT) & F.lit(form.above_zero), str(Reason.WEIGHT))
        .when(~rating.between(lowest, highest), str(Reason.SCALE))
        .when(
            given.isNotNull() & ~F.coalesce(micros.between(FIRST_MICROS, LAST_MICROS), F.lit(False)), str(Reason.TIME)
        )
    )
    return rows.select(
        user_id.alias("user_id"),
        item_id.alias("item_id"),
        rating.cast("float").alias("rating"),
        F.timestamp_micros(micros).alias("rated_at"),
        "file_id",
        "position",
        line_of(form.columns).alias("line"),
        reason.alias("reason"),
    )


def _plain_number(rows: DataFrame, column: str) -> Column:
    """An id; a float that is a whole number as that number, as where a column was made a float to hold a null."""
    value = F.col(column)
    if not isinstance(rows.schema[column].dataType, T.FloatType | T.DoubleType):
        return value
    whole = value.try_cast("bigint")
    return F.when(whole.cast("double") == value, whole.cast("string")).when(~F.isnan(value), value.cast("string"))


def _text(column: str) -> Column:
    """A value as text without blanks around it, null where nothing is left."""
    return F.nullif(F.trim(F.col(column).cast("string")), F.lit(""))


def _id(column: str, ids: Ids) -> Column:
    """An id, null where it is none."""
    if ids == "bigint":
        return F.col(column).try_cast("bigint")
    return F.when(~_text(column).rlike(_CONTROL), _text(column))


def _time(rows: DataFrame) -> tuple[Column, Column]:
    """What the column time holds, null where it is empty, and it in microseconds since 1970, null where it is none."""
    if "time" not in rows.columns:
        return F.lit(None), F.lit(None).cast("bigint")
    given, of_type = F.col("time"), rows.schema["time"].dataType
    if isinstance(of_type, T.TimestampType | T.TimestampNTZType | T.DateType):
        return given, F.unix_micros(given.cast("timestamp"))
    if not isinstance(of_type, T.StringType):
        return given, _counted(given.try_cast("decimal(20,6)"))
    text = _text("time")
    number = F.when(text.rlike(_SECONDS), text.try_cast("decimal(20,6)"))
    moment = F.when(text.rlike(f"^{ISO_8601}$"), text.try_cast("timestamp"))
    return text, F.coalesce(_counted(number), F.unix_micros(moment))


def _counted(number: Column) -> Column:
    factor = F.when(F.abs(number) < MILLISECONDS_FROM, 1_000_000).otherwise(1_000)
    return (number * factor).try_cast("bigint")
