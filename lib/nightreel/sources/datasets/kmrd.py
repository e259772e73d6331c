"""KMRD's other titles, which end in the year: `Cinema Paradiso , 1988`, or are but the year."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from nightreel.errors import DataError
from nightreel.settings import ScaleSettings, Settings
from nightreel.sources.datasets.finding import Edition, Format, Part, PublishedSource, read_parts
from nightreel.sources.files import RawFile
from nightreel.sources.judging import NOT_AN_ID, rejected_repeats, rejected_where, text_or_null, whole_number
from nightreel.sources.lines.rating_lines import RatingLines
from nightreel.sources.lines.segments import first_line
from nightreel.sources.records import Dialect, survey_of
from nightreel.sources.source import Described, with_all_columns

_YEAR = r"(^|,)\s*((18|19|20)[0-9]{2})\s*$"


def other_title(text: str | Column) -> Column:
    """What stands before the year; null where that is nothing."""
    return text_or_null(F.regexp_replace(text, _YEAR, ""))


def other_year(text: str | Column) -> Column:
    """The year at the end; null where there is none."""
    return F.nullif(F.regexp_extract(text, _YEAR, 2), F.lit("")).cast("int")


KMRD_FILES = Edition(
    name="KMRD",
    ratings=r"rates(-\w+)?\.csv",
    looked_for="rates.csv, rates-2m.csv, rates-5m.csv",
    begins="user,movie,rate,time",
    others={
        "movies": r"movies\.txt",
        "genres": r"genres\.csv",
        "castings": r"castings\.csv",
        "countries": r"countries\.csv",
        "peoples": r"peoples\.txt",
    },
)


_HEADER = "user,movie,rate,time"


def rating_lines(edition: Edition, file: RawFile, scale: ScaleSettings) -> RatingLines:  # noqa: ARG001
    """How the file's lines are ratings: user, item, rating, seconds since 1970.

    Raises
    ------
    DataError : it has another header, or cannot be read
    """
    line = first_line(file)
    if line != _HEADER:
        raise DataError(
            f"{file.path}: begins {line[:80]!r}, where KMRD has {_HEADER}; "
            'ratings with other columns are read with data.source = "own"'
        )
    return RatingLines(
        ",", 4, user=0, item=1, rating=2, time=3, header=True, lowest=scale.lowest, highest=scale.highest
    )


NO_NAME = "no name"
NOT_A_YEAR = "year is not four digits"
NOT_A_PLACE = "order is not a whole number"
NOT_LEADING = "leading is neither 0 nor 1"
_COLUMNS = (
    "item_id bigint, person_id bigint, title string, other_title string, year int, other_year int, grade string, "
    "name string, billing bigint, leads boolean"
)
_ONE_A_FILM = ("title", "other_title", "year", "other_year", "grade")
"""Of which good records of a film tell at most one."""


def read_items(spark: SparkSession, files: Mapping[int, RawFile], max_record_bytes: int) -> Described:
    """The films of the files; one that movies.txt does not have, but another file, has a row too, without a title."""
    records = read_parts(spark, files, _PARTS, columns=_COLUMNS, max_record_bytes=max_record_bytes)
    return Described(records, with_all_columns(_rows(records), "bronze_items"), survey_of(records))


def _movies(records: DataFrame) -> DataFrame:
    year = text_or_null("year")
    parsed = records.withColumns(
        {
            "item_id": whole_number("movie"),
            "title": text_or_null("title"),
            "other_title": other_title("title_eng"),
            "other_year": other_year("title_eng"),
            "no_year": year.isNotNull() & ~year.rlike("^[0-9]{4}$"),
            "year": F.when(year.rlike("^[0-9]{4}$"), year.cast("int")),
            "grade": text_or_null("grade"),
        }
    )
    judged = rejected_where(parsed, F.col("item_id").isNull(), NOT_AN_ID)
    return rejected_repeats(rejected_where(judged, F.col("no_year"), NOT_A_YEAR), "item_id")


def _named(column: str) -> Callable[[DataFrame], DataFrame]:
    def judge(records: DataFrame) -> DataFrame:
        parsed = records.withColumns({"item_id": whole_number("movie"), "name": text_or_null(column)})
        judged = rejected_where(parsed, F.col("item_id").isNull(), NOT_AN_ID)
        return rejected_where(judged, F.col("name").isNull(), NO_NAME)

    return judge


def _castings(records: DataFrame) -> DataFrame:
    parsed = records.withColumns(
        {
            "item_id": whole_number("movie"),
            "person_id": whole_number("people"),
            "billing": whole_number("order"),
            "leads": F.when(F.trim("leading").isin("0", "1"), F.trim("leading") == "1"),
        }
    )
    judged = rejected_where(parsed, F.col("item_id").isNull() | F.col("person_id").isNull(), NOT_AN_ID)
    judged = rejected_where(judged, F.col("billing").isNull(), NOT_A_PLACE)
    return rejected_where(judged, F.col("leads").isNull(), NOT_LEADING)


def _people(records: DataFrame) -> DataFrame:
    name = F.coalesce(text_or_null("korean"), text_or_null("original"))
    parsed = records.withColumns({"person_id": whole_number("people"), "name": name})
    judged = rejected_where(parsed, F.col("person_id").isNull(), NOT_AN_ID)
    return rejected_repeats(rejected_where(judged, F.col("name").isNull(), NO_NAME), "person_id")


_TABS = Dialect("\t", quoted=False, header=True)
_CSV = Dialect(",", quoted=True, header=True)
_PARTS = (
    Part(KMRD_FILES, "movies", _TABS, ("movie", "title", "title_eng", "year", "grade"), _movies),
    Part(KMRD_FILES, "genres", _CSV, ("movie", "genre"), _named("genre")),
    Part(KMRD_FILES, "countries", _CSV, ("movie", "country"), _named("country")),
    Part(KMRD_FILES, "castings", _CSV, ("movie", "people", "order", "leading"), _castings),
    Part(KMRD_FILES, "peoples", _TABS, ("people", "korean", "original"), _people),
)


def _rows(records: DataFrame) -> DataFrame:
    """Grain film; columns item_id, title, other_title, year, other_year, grade, genres, countries, cast, leading.

    Casts are in the order of billing, people without a name by their id.
    """
    good = records.where(F.col("reason").isNull())
    people = good.where("part = 'peoples'").select("person_id", F.col("name").alias("known_as"))
    named = good.where("part != 'peoples'").join(people, "person_id", "left")
    as_listed = F.struct("file_id", "position", "name")
    known_as = F.coalesce("known_as", F.col("person_id").cast("string")).alias("name")
    billed = F.when(F.col("part") == "castings", F.struct("billing", "person_id", known_as))
    return named.groupBy("item_id").agg(
        *(F.max(name).alias(name) for name in _ONE_A_FILM),
        _names(F.when(F.col("part") == "genres", as_listed)).alias("genres"),
        _names(F.when(F.col("part") == "countries", as_listed)).alias("countries"),
        _names(billed).alias("cast"),
        _names(F.when(F.col("leads"), billed)).alias("leading"),
    )


def _names(ordered: Column) -> Column:
    """The distinct names of a group's structs, in the order of what stands before them; structs may be null."""
    return F.array_distinct(F.transform(F.array_sort(F.collect_list(ordered)), lambda one: one["name"]))


_FORMAT = Format("KMRD", [KMRD_FILES], version=2, rating_lines=rating_lines, read_items=read_items)


class KMRD(PublishedSource):
    """KMRD of any size, unpacked or in its archives: small, 2m, 5m."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, _FORMAT)
