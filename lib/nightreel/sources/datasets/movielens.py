"""MovieLens of any size: the forms it was published in, what their lines and records tell, and one row a film."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from nightreel.errors import DataError
from nightreel.settings import ScaleSettings
from nightreel.sources.datasets.finding import Edition, Part, PublishedSource, judged, read_parts
from nightreel.sources.files import RawFile
from nightreel.sources.judging import NOT_AN_ID, rejected_where, text_or_null, whole_number
from nightreel.sources.lines.rating_lines import RatingLines
from nightreel.sources.lines.segments import FAULTS, Segment, first_line, open_lines
from nightreel.sources.records import UTF8_OR_LATIN1, Dialect

CSV = Edition(
    name="MovieLens CSV",
    ratings=r"ratings?\.csv",
    looked_for="ratings.csv",
    begins=r'"?userId"?,"?movieId"?,"?rating"?(,|$)',
    others={"movies": r"movies?\.csv", "links": r"links?\.csv", "tags": r"tags?\.csv"},
)
"""latest-small, 20M and later; a widespread copy of 20M leaves out the plural's s."""

DAT = Edition(
    name="MovieLens 1M or 10M",
    ratings=r"ratings\.dat",
    looked_for="ratings.dat",
    begins=r"\d+::\d+::\d",
    others={"movies": r"movies\.dat", "tags": r"tags\.dat"},
)

U_DATA = Edition(
    name="MovieLens 100K",
    ratings=r"u\.data",
    looked_for="u.data",
    begins=r"\d+\t\d+\t\d",
    others={"movies": r"u\.item", "genres": r"u\.genre"},
)

SMALL = Edition(
    name="MovieLens CSV, as a sample in The Movies Dataset",
    ratings=r"ratings_small\.csv",
    looked_for="ratings_small.csv",
    begins=CSV.begins,
    others={"links": r"links_small\.csv"},
    is_sample=True,
)

EDITIONS = (CSV, DAT, U_DATA, SMALL)

GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy",
    "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip
"""In the order of their flags, as published."""

MOST_TAGS = 50
NO_TAG = "no tag"
NOT_A_LINK = "imdbId or tmdbId is not a whole number"
NOT_A_FLAG = "a genre's flag is neither 0 nor 1"
NOT_A_GENRE = f"not a genre and its place, 0 to {len(GENRES) - 1}"
_NEEDED = ("userId", "movieId", "rating")
_FLAGS = tuple(f"flag{place}" for place in range(len(GENRES)))
_COLUMNS = "item_id bigint, title string, year int, genres array<string>, imdb_id string, tmdb_id bigint, tag string"
_ONE_A_FILM = ("title", "year", "genres", "imdb_id", "tmdb_id")
"""Of which good records of a film tell at most one."""
_MAX_GENRE_BYTES = 65_536


def rating_lines(edition: Edition, file: RawFile, scale: ScaleSettings) -> RatingLines:
    """How the file's lines are ratings: user, item, rating, seconds since 1970; of CSV by the names in its header.

    Raises
    ------
    DataError : the header lacks a name, or the file cannot be read
    """
    limits = {"lowest": scale.lowest, "highest": scale.highest}
    if edition not in (CSV, SMALL):
        separator = "::" if edition is DAT else "\t"
        return RatingLines(separator, 4, user=0, item=1, rating=2, time=3, header=False, **limits)
    line = first_line(file)
    names = [name.strip(' "') for name in line.split(",")]
    if any(name not in names for name in _NEEDED):
        raise DataError(
            f"{file.path}: begins {line[:80]!r}, where MovieLens has userId,movieId,rating,timestamp; "
            'ratings with other columns are read with data.source = "own"'
        )
    user, item, rating = map(names.index, _NEEDED)
    time = names.index("timestamp") if "timestamp" in names else None
    return RatingLines(",", len(names), user=user, item=item, rating=rating, time=time, header=True, **limits)


class MovieLens(PublishedSource):
    """MovieLens of any size, unpacked or in its archive: 100K, 1M, 10M, latest-small, 20M, 25M, 32M."""

    name = "MovieLens"
    editions = EDITIONS
    version = 2
    rating_lines = staticmethod(rating_lines)

    def records(self, spark: SparkSession, files: Mapping[int, RawFile]) -> DataFrame:
        csv = Dialect(",", quoted=True, header=True, encoding=UTF8_OR_LATIN1)
        dat = Dialect("::", quoted=False, header=False, encoding=UTF8_OR_LATIN1)
        bars = Dialect("|", quoted=False, header=False, encoding=UTF8_OR_LATIN1)
        genres = genre_names(next((file for file in files.values() if U_DATA.part(file.name) == "genres"), None))
        u_item = ("movieId", "title", "released", "on_video", "url", *_FLAGS)
        parts = (
            Part(CSV, "movies", csv, ("movieId", "title", "genres"), _films),
            Part(CSV, "links", csv, ("movieId", "imdbId", "tmdbId"), _links),
            Part(CSV, "tags", csv, ("movieId", "tag"), _tags),
            Part(SMALL, "links", csv, ("movieId", "imdbId", "tmdbId"), _links),
            Part(DAT, "movies", dat, ("movieId", "title", "genres"), _films),
            Part(DAT, "tags", dat, ("userId", "movieId", "tag", "timestamp"), _tags),
            Part(U_DATA, "movies", bars, u_item, partial(_films_with_flags, genres=genres)),
            Part(U_DATA, "genres", bars, ("genre", "place"), _genres),
        )
        return read_parts(spark, files, parts, columns=_COLUMNS, max_record_bytes=self._ingest.max_line_bytes)

    def films(self, good: DataFrame) -> DataFrame:
        """Columns item_id, title, year, genres, imdb_id, tmdb_id, tags; a film that only links or tags speak of has no
        title.

        A tag is as most of its users write it, whatever its case, and those of most users come first.
        """
        films = good.where("part IN ('movies', 'links')").select("item_id", *_ONE_A_FILM)
        tags = good.where("part = 'tags'").groupBy("item_id", F.lower("tag").alias("folded"))
        ranked = tags.agg(F.struct(-F.count(F.lit(1)), "folded", F.mode("tag", True).alias("tag")).alias("ranked"))
        described = films.unionByName(ranked.select("item_id", "ranked"), allowMissingColumns=True)
        most_frequent = F.slice(F.array_sort(F.collect_list("ranked")), 1, MOST_TAGS)
        return described.groupBy("item_id").agg(
            *(F.max(name).alias(name) for name in _ONE_A_FILM),
            F.transform(most_frequent, lambda one: one["tag"]).alias("tags"),
        )


_YEAR = r"(18|19|20)[0-9]{2}"
_ENDING = rf"\s*\(\s*({_YEAR})(\s*[-–—]\s*({_YEAR})?)?\s*\)+(\s*\((V|TV)\))?\s*$"
"""`(1995)`, `(2006–2007)`, `(2007-)`; in 100K `(V)` may follow, of films that went straight to video."""


def year_in(title: str | Column) -> Column:
    """The year that the title ends in, the first of two; null where it ends in none."""
    return F.nullif(F.regexp_extract(title, _ENDING, 1), F.lit("")).cast("int")


def without_year(title: str | Column) -> Column:
    """The title up to the year that it ends in, or whole where it is but a year; null where it is empty."""
    return F.coalesce(text_or_null(F.regexp_replace(title, _ENDING, "")), text_or_null(title))


def _films(records: DataFrame) -> DataFrame:
    names = F.transform(F.split("genres", r"\|"), F.trim)
    columns = {
        "item_id": whole_number("movieId"),
        "year": year_in("title"),
        "title": without_year("title"),
        "genres": F.array_distinct(F.filter(names, lambda name: ~name.isin("", "(no genres listed)"))),
    }
    return judged(records, columns, [(F.col("item_id").isNull(), NOT_AN_ID)], unique="item_id")


def _films_with_flags(records: DataFrame, genres: Sequence[str]) -> DataFrame:
    """Records of u.item; without a year in the title, that of the release."""
    released = F.nullif(F.regexp_extract("released", r"([0-9]{4})\s*$", 1), F.lit("")).cast("int")
    named = [F.when(F.trim(flag) == "1", name) for flag, name in zip(_FLAGS, genres, strict=True) if name != GENRES[0]]
    columns = {
        "item_id": whole_number("movieId"),
        "year": F.coalesce(year_in("title"), released),
        "title": without_year("title"),
        "genres": F.array_compact(F.array(*named)),
    }
    no_flag = F.exists(F.array(*(F.trim(flag) for flag in _FLAGS)), lambda flag: ~flag.isin("0", "1"))
    rejected = [(no_flag, NOT_A_FLAG), (F.col("item_id").isNull(), NOT_AN_ID)]
    return judged(records, columns, rejected, unique="item_id")


def _links(records: DataFrame) -> DataFrame:
    imdb, tmdb = whole_number("imdbId"), whole_number("tmdbId")
    columns = {
        "item_id": whole_number("movieId"),
        "imdb_id": F.concat(F.lit("tt"), F.lpad(imdb.cast("string"), F.greatest(F.lit(7), F.length(imdb)), "0")),
        "tmdb_id": tmdb,
    }
    no_link = text_or_null("imdbId").isNotNull() & imdb.isNull() | text_or_null("tmdbId").isNotNull() & tmdb.isNull()
    rejected = [(F.col("item_id").isNull(), NOT_AN_ID), (no_link, NOT_A_LINK)]
    return judged(records, columns, rejected, unique="item_id")


def _tags(records: DataFrame) -> DataFrame:
    columns = {"item_id": whole_number("movieId"), "tag": text_or_null("tag")}
    return judged(records, columns, [(F.col("item_id").isNull(), NOT_AN_ID), (F.col("tag").isNull(), NO_TAG)])


def _genres(records: DataFrame) -> DataFrame:
    place = whole_number("place")
    good = text_or_null("genre").isNotNull() & place.isNotNull() & (place < len(GENRES))
    return rejected_where(records, ~good, NOT_A_GENRE)


def genre_names(file: RawFile | None) -> tuple[str, ...]:
    """The genres in the order of their flags, as u.genre names them; as published where it does not, or is damaged."""
    names = dict(enumerate(GENRES))
    text = ""
    if file:
        with suppress(*FAULTS), open_lines(Segment(0, file.path, 0, file.size)) as stream:  # the survey tells of damage
            text = stream.read(_MAX_GENRE_BYTES).decode("utf-8", "replace")
    for line in text.splitlines():
        name, _, place = line.rpartition("|")
        if name.strip() and place.strip().isdecimal() and int(place) in names:
            names[int(place)] = name.strip()
    return tuple(names.values())
