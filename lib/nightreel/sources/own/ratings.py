"""A user's own ratings, or events: rows of files and tables, whatever the format, read by Spark and judged once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from functools import reduce

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from nightreel.errors import ConfigurationError
from nightreel.settings import ColumnSettings, ItemColumnSettings, Settings
from nightreel.sources.datasets.finding import judged
from nightreel.sources.files import RawFile
from nightreel.sources.judging import CONTROL, ID_TYPES, TITLE_CONTROL, id_as, spelled_id, text_or_null
from nightreel.sources.own.files import Kind, check_columns, csv_columns, csv_dialect, find_data, kind_of
from nightreel.sources.own.rows import line_of, rows_of
from nightreel.sources.records import read_records, survey_of
from nightreel.sources.source import Described, Found, with_all_columns
from nightreel.tables import digest

_VERSION = 2  # count up when a file would be read into other rows than before
_GENRES_SEPARATOR = "|"
_MOST_ITEM_BYTES = 1_048_576  # of a record, which may hold a long description

_LARGEST_RATING = (2 - 2**-23) * 2.0**127
_SMALLEST_WEIGHT = 2.0**-149
"""What a 4-byte float can tell from infinity, and from 0."""

_FIRST_MICROS, _LAST_MICROS = -62_135_596_800_000_000, 253_402_300_799_999_999
"""The years 1 to 9999, in microseconds since 1970."""
_MILLISECONDS_FROM = 100_000_000_000
"""A number of this size, and a larger one, counts milliseconds: 1973 in these, the year 5138 in seconds."""
_SECONDS = r"^-?[0-9]{1,15}(\.[0-9]+)?$"
_ISO_8601 = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}(:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?)?$"
)


class Reason(StrEnum):
    """Why a row is quarantined; which column it is follows."""

    NO_USER = "no user id"
    NO_ITEM = "no item id"
    USER_NUMBER = "user id is not a whole number"
    ITEM_NUMBER = "item id is not a whole number"
    USER_TEXT = "user id is no UTF-8 text of one line"
    ITEM_TEXT = "item id is no UTF-8 text of one line"
    RATING = "rating is not a number"
    SCALE = "rating outside scale.lowest to scale.highest"
    WEIGHT = "weight is not above 0"
    TIME = "time is neither seconds since 1970 nor an ISO 8601 date or time"
    TIME_FORMAT = "time is not as data.time_format says"

    def of(self, column: str) -> str:
        return f"{self} (column {column})"


class OwnData:
    """Ratings, or events of implicit feedback: see nightreel.sources.source.Source."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._data = settings.data

    @property
    def reading(self) -> str:
        data = self._data.model_dump(exclude={"path", "items"})
        return digest([_VERSION, data, _bounds(self._settings), self._settings.ingest.max_line_bytes])

    def find(self) -> Found:
        columns, item_columns = _named(self._data.columns), _named(self._data.item_columns)
        if self._data.source == "own" and "rating" not in columns:
            raise ConfigurationError(
                'data.columns.rating is empty: with data.source = "own" it names the column of ratings; '
                'for data without ratings there is data.source = "events"'
            )
        ratings = find_data(self._data.path, setting="data.path")
        for file in ratings:
            check_columns(file, self._data, columns, setting="data.columns")
        items = find_data([self._data.items], setting="data.items", archives=True) if self._data.items else []
        for file in items:
            check_columns(file, self._data, item_columns, setting="data.item_columns")
        both = {file.path for file in ratings} & {file.path for file in items}
        if both:
            why = "is one of the files of data.path; items need a file of their own"
            raise ConfigurationError(f"data.items: {min(both)}: {why}")
        return Found(ratings, items)

    def pairs_to_score(self) -> str | None:
        return None

    def survey(self, spark: SparkSession, files: Mapping[int, RawFile], *, into: str | None = None) -> DataFrame:  # noqa: ARG002
        """Spark writes the ratings, whatever `into` says."""
        if self._data.time_format:
            _check_pattern(spark, self._data.time_format)
        lines = survey_of(_rows(spark, files, self._settings))
        counted = lines.groupBy("file_id", "position", "line", "reason").agg(F.sum("lines").alias("lines"))
        return counted.withColumn("written", F.lit(None).cast("string"))

    def ratings(self, spark: SparkSession, files: Mapping[int, RawFile]) -> DataFrame:
        good = _rows(spark, files, self._settings).where(F.col("reason").isNull())
        return good.select("user_id", "item_id", "rating", "rated_at", "file_id")

    def items(self, spark: SparkSession, files: Mapping[int, RawFile]) -> Described:
        """Of an item the first record counts."""
        data, columns = self._data, _named(self._data.item_columns)
        most = max(_MOST_ITEM_BYTES, self._settings.ingest.max_line_bytes)
        cells = ", ".join(f"{name} string" for name in ItemColumnSettings.model_fields)
        records = spark.createDataFrame([], f"file_id int, position bigint, line string, reason string, {cells}")
        csv = {file_id: file for file_id, file in sorted(files.items()) if kind_of(file) is Kind.CSV}
        for file_id, file in csv.items():
            dialect = csv_dialect(file, data)
            # Without a header all columns are read, by place.
            wanted = [*columns.values()] if data.header else [*csv_columns(file, data)]
            read = read_records(spark, {file_id: file}, dialect, wanted, max_record_bytes=most)
            # A column of the file may be called as one of those of every file.
            unnamed = read.toDF("file_id", "position", "line", "reason", *(f"cell{at}" for at in range(len(wanted))))
            by_role = (F.col(f"cell{wanted.index(name)}").alias(role) for role, name in columns.items())
            named = unnamed.select("file_id", "position", "line", "reason", *by_role)
            records = records.unionByName(named, allowMissingColumns=True)
        others = {file_id: file for file_id, file in files.items() if file_id not in csv}
        for rows in rows_of(spark, others, columns, data):
            plain = [_plain_item(rows, role).alias(role) for role in columns]
            as_text = rows.select("file_id", "position", line_of(columns).alias("line"), "reason", *plain)
            records = records.unionByName(as_text, allowMissingColumns=True)
        names = F.transform(F.split("genres", rf"\{_GENRES_SEPARATOR}"), F.trim)
        parsed = {
            "item_id": id_as(spelled_id(F.col("item"), T.StringType()), ID_TYPES[data.ids]),
            "title": text_or_null("title"),
            "year": F.regexp_extract("year", r"^\s*([0-9]{4})(\.0*)?\s*$", 1).try_cast("int"),
            "genres": F.filter(names, lambda name: name != ""),
        }
        no_id = (Reason.ITEM_NUMBER if data.ids == "number" else Reason.ITEM_TEXT).of(columns["item"])
        missing = (text_or_null("item").isNull(), Reason.NO_ITEM.of(columns["item"]))
        rejected = [missing, (F.col("item_id").isNull(), no_id), (F.col("title").rlike(CONTROL), TITLE_CONTROL)]
        records = judged(records, parsed, rejected, unique="item_id")
        good = records.where(F.col("reason").isNull()).select("item_id", "title", "year", "genres")
        return Described(records, with_all_columns(good, "bronze_items"), survey_of(records))


def _named(columns: ColumnSettings | ItemColumnSettings) -> dict[str, str]:
    """The names of the columns that the data has, by what they are."""
    return {role: name for role, name in columns.model_dump().items() if name}


def _rows(spark: SparkSession, files: Mapping[int, RawFile], settings: Settings) -> DataFrame:
    """The rows of the files and tables, by file_id.

    Grain row; user_id, item_id, rating float, rated_at timestamp, file_id int, position bigint (see `rows_of`), line
    string (of what is no record its text, else the columns read, as JSON), reason string (null in good rows), lines int
    (how many a quote that is not closed takes with it; else 1).
    """
    ids, columns = ID_TYPES[settings.data.ids], _named(settings.data.columns)
    places = "file_id int, position bigint, line string, reason string, lines int"
    none = spark.createDataFrame([], f"user_id {ids}, item_id {ids}, rating float, rated_at timestamp, {places}")
    rows = [judge(some, settings) for some in rows_of(spark, files, columns, settings.data)]
    return reduce(DataFrame.unionByName, rows or [none])


def _plain_item(rows: DataFrame, role: str) -> Column:
    """A value of an item as text; of genres, lists of names too."""
    column, of_type = F.col(role), rows.schema[role].dataType
    if role == "item":
        return spelled_id(column, of_type)
    if isinstance(of_type, T.ArrayType):
        return F.array_join(column.cast("array<string>"), _GENRES_SEPARATOR)
    text = column.cast("string")
    if role == "genres":
        return F.coalesce(F.array_join(F.from_json(text, "array<string>"), _GENRES_SEPARATOR), text)
    return text


def _check_pattern(spark: SparkSession, pattern: str) -> None:
    try:
        then = F.date_format(F.timestamp_seconds(F.lit(0)), pattern)
        spark.range(1).select(F.to_timestamp(then, pattern)).collect()
    except Exception as error:
        why = "no pattern of Spark's for dates and times, such as dd.MM.yyyy HH:mm"
        raise ConfigurationError(f"data.time_format = {pattern!r}: {why}") from error


def judge(rows: DataFrame, settings: Settings) -> DataFrame:
    """Rows of `rows_of`, with the columns that `_rows` gives."""
    data, named = settings.data, settings.data.columns
    user, item = (spelled_id(F.col(name), rows.schema[name].dataType) for name in ("user", "item"))
    user_id, item_id = (id_as(spelled, ID_TYPES[data.ids]) for spelled in (user, item))
    numbers = data.ids == "number"
    rating = _rating(rows, data.decimal) if named.rating else F.lit(1.0)
    given, micros = _time(rows, data.time_format)
    timeless = given.isNotNull() & ~F.coalesce(micros.between(_FIRST_MICROS, _LAST_MICROS), F.lit(False))
    reason = (
        F.when(F.col("reason").isNotNull(), F.col("reason"))
        .when(user.isNull(), Reason.NO_USER.of(named.user))
        .when(item.isNull(), Reason.NO_ITEM.of(named.item))
        .when(user_id.isNull(), (Reason.USER_NUMBER if numbers else Reason.USER_TEXT).of(named.user))
        .when(item_id.isNull(), (Reason.ITEM_NUMBER if numbers else Reason.ITEM_TEXT).of(named.item))
        .when(rating.isNull() | F.isnan(rating), Reason.RATING.of(named.rating))
        .when((rating < _SMALLEST_WEIGHT) & F.lit(data.source == "events"), Reason.WEIGHT.of(named.rating))
        .when(~rating.between(*_bounds(settings)), Reason.SCALE.of(named.rating))
        .when(timeless, (Reason.TIME_FORMAT if data.time_format else Reason.TIME).of(named.time))
    )
    return rows.select(
        user_id.alias("user_id"),
        item_id.alias("item_id"),
        rating.cast("float").alias("rating"),
        F.timestamp_micros(micros).alias("rated_at"),
        "file_id",
        "position",
        line_of(_named(named)).alias("line"),
        reason.alias("reason"),
        F.coalesce(F.length("record") - F.length(F.replace("record", F.lit("\n"))) + 1, F.lit(1)).alias("lines"),
    )


def _bounds(settings: Settings) -> tuple[float, float]:
    """The least and the largest rating that are no rejects."""
    if settings.data.source == "events":
        return _SMALLEST_WEIGHT, _LARGEST_RATING
    return settings.scale.lowest, settings.scale.highest


def _rating(rows: DataFrame, decimal: str) -> Column:
    if not isinstance(rows.schema["rating"].dataType, T.StringType):
        return F.col("rating").try_cast("double")
    text, point = text_or_null("rating"), re.escape(decimal)
    number = text.rlike(rf"^[+-]?([0-9]+{point}?[0-9]*|{point}[0-9]+)([eE][+-]?[0-9]+)?$")
    return F.when(number, F.translate(text, decimal, ".").try_cast("double"))


def _time(rows: DataFrame, form: str) -> tuple[Column, Column]:
    """The given value (null if empty), and its microseconds since 1970 (null if it is no time)."""
    if "time" not in rows.columns:
        return F.lit(None), F.lit(None).cast("bigint")
    given, of_type = F.col("time"), rows.schema["time"].dataType
    if isinstance(of_type, T.TimestampType | T.TimestampNTZType | T.DateType):
        return given, F.unix_micros(given.cast("timestamp"))
    if not isinstance(of_type, T.StringType) and not form:
        return given, _counted(given.try_cast("decimal(20,6)"))
    text = text_or_null("time")
    if form:  # of numbers too, such as 20240115
        return text, F.unix_micros(F.try_to_timestamp(text, F.lit(form)))
    number = F.when(text.rlike(_SECONDS), text.try_cast("decimal(20,6)"))
    # Spark wants seconds before a zone.
    whole = F.regexp_replace(text, r"([T ][0-9]{2})(?=Z|[+-]|$)", "$1:00")
    whole = F.regexp_replace(whole, r"([T ][0-9]{2}:[0-9]{2})(?=Z|[+-]|$)", "$1:00")
    moment = F.when(text.rlike(_ISO_8601), whole.try_cast("timestamp"))
    return text, F.coalesce(_counted(number), F.unix_micros(moment))


def _counted(number: Column) -> Column:
    factor = F.when(F.abs(number) < _MILLISECONDS_FROM, 1_000_000).otherwise(1_000)
    return (number * factor).try_cast("bigint")
