"""KMRD of any size: its files, what its lines and records tell, and one row a film."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from nightreel.errors import DataError
from nightreel.settings import ScaleSettings
from nightreel.sources.datasets.finding import Edition, Part, PublishedSource, judged, read_parts
from nightreel.sources.files import RawFile
from nightreel.sources.judging import NOT_AN_ID, text_or_null, whole_number
from nightreel.sources.lines.rating_lines import RatingLines
from nightreel.sources.lines.segments import first_line
from nightreel.sources.records import Dialect

_HEADER = "user,movie,rate,time"

KMRD_FILES = Edition(
    name="KMRD",
    ratings=r"rates(-\w+)?\.csv",
    looked_for="rates.csv, rates-2m.csv, rates-5m.csv",
    begins=_HEADER,
    others={
        "movies": r"movies\.txt",
        "genres": r"genres\.csv",
        "castings": r"castings\.csv",
        "countries": r"countries\.csv",
        "peoples": r"peoples\.txt",
    },
)

NO_NAME = "no name"
NOT_A_YEAR = "year is not four digits"
NOT_A_PLACE = "order is not a whole number"
NOT_LEADING = "leading is neither 0 nor 1"
_YEAR = r"(^|,)\s*((18|19|20)[0-9]{2})\s*$"
"""At the end of other titles: `Cinema Paradiso , 1988`; some are but the year."""
_COLUMNS = (
    "item_id bigint, person_id bigint, title string, other_title string, year int, other_year int, grade string, "
    "name string, billing bigint, leads boolean"
)
_ONE_A_FILM = ("title", "other_title", "year", "other_year", "grade")
"""Of which good records of a film tell at most one."""


class KMRD(PublishedSource):
    """KMRD of any size, unpacked or in its archives: small, 2m, 5m."""

    name = "KMRD"
    editions = (KMRD_FILES,)
    version = 2

    @staticmethod
    def rating_lines(edition: Edition, file: RawFile, scale: ScaleSettings) -> RatingLines:  # noqa: ARG004
        """User, item, rating, seconds since 1970."""
        line = first_line(file)
        if line != _HEADER:
            raise DataError(
                f"{file.path}: begins {line[:80]!r}, where KMRD has {_HEADER}; "
                'ratings with other columns are read with data.source = "own"'
            )
        limits = {"lowest": scale.lowest, "highest": scale.highest}
        return RatingLines(",", 4, user=0, item=1, rating=2, time=3, header=True, **limits)

    def records(self, spark: SparkSession, files: Mapping[int, RawFile]) -> DataFrame:
        tabs = Dialect("\t", quoted=False, header=True)
        csv = Dialect(",", quoted=True, header=True)
        parts = (
            Part(KMRD_FILES, "movies", tabs, ("movie", "title", "title_eng", "year", "grade"), _movies),
            Part(KMRD_FILES, "genres", csv, ("movie", "genre"), partial(_named, column="genre")),
            Part(KMRD_FILES, "countries", csv, ("movie", "country"), partial(_named, column="country")),
            Part(KMRD_FILES, "castings", csv, ("movie", "people", "order", "leading"), _castings),
            Part(KMRD_FILES, "peoples", tabs, ("people", "korean", "original"), _people),
        )
        return read_parts(spark, files, parts, columns=_COLUMNS, max_record_bytes=self._ingest.max_line_bytes)

    def films(self, good: DataFrame) -> DataFrame:
        """Columns item_id, title, other_title, year, other_year, grade, genres, countries, cast, leading.

        Casts are in the order of billing, people without a name by their id. A film that movies.txt does not have, but
        another file, has a row too, without a title.
        """
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


def _movies(records: DataFrame) -> DataFrame:
    year = text_or_null("year")
    columns = {
        "item_id": whole_number("movie"),
        "title": text_or_null("title"),
        "other_title": text_or_null(F.regexp_replace("title_eng", _YEAR, "")),
        "other_year": F.nullif(F.regexp_extract("title_eng", _YEAR, 2), F.lit("")).cast("int"),
        "no_year": year.isNotNull() & ~year.rlike("^[0-9]{4}$"),
        "year": F.when(year.rlike("^[0-9]{4}$"), year.cast("int")),
        "grade": text_or_null("grade"),
    }
    rejected = [(F.col("item_id").isNull(), NOT_AN_ID), (F.col("no_year"), NOT_A_YEAR)]
    return judged(records, columns, rejected, unique="item_id")


def _named(records: DataFrame, column: str) -> DataFrame:
    columns = {"item_id": whole_number("movie"), "name": text_or_null(column)}
    return judged(records, columns, [(F.col("item_id").isNull(), NOT_AN_ID), (F.col("name").isNull(), NO_NAME)])


def _castings(records: DataFrame) -> DataFrame:
    columns = {
        "item_id": whole_number("movie"),
        "person_id": whole_number("people"),
        "billing": whole_number("order"),
        "leads": F.when(F.trim("leading").isin("0", "1"), F.trim("leading") == "1"),
    }
    rejected = [
        (F.col("item_id").isNull() | F.col("person_id").isNull(), NOT_AN_ID),
        (F.col("billing").isNull(), NOT_A_PLACE),
        (F.col("leads").isNull(), NOT_LEADING),
    ]
    return judged(records, columns, rejected)


def _people(records: DataFrame) -> DataFrame:
    name = F.coalesce(text_or_null("korean"), text_or_null("original"))
    rejected = [(F.col("person_id").isNull(), NOT_AN_ID), (F.col("name").isNull(), NO_NAME)]
    return judged(records, {"person_id": whole_number("people"), "name": name}, rejected, unique="person_id")
