"""MovieLens' films: titles, genres, links and tags become one row a film."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from nightreel.sources.files import RawFile
from nightreel.sources.movielens import hundred_k
from nightreel.sources.movielens.forms import CSV, DAT, U_DATA
from nightreel.sources.movielens.titles import without_year, year_in
from nightreel.sources.published.parts import Part, read_parts
from nightreel.sources.records import UTF8_OR_LATIN1, Dialect, survey_of
from nightreel.sources.records.judging import NOT_AN_ID, rejected_repeats, rejected_where, text_or_null, whole_number
from nightreel.sources.source import Described, with_all_columns

MOST_TAGS = 50
NO_TAG = "no tag"
NOT_A_LINK = "imdbId or tmdbId is not a whole number"
_NO_GENRES = "(no genres listed)"
_TOLD = "item_id bigint, title string, year int, genres array<string>, imdb_id string, tmdb_id bigint, tag string"
_ONE_A_FILM = ("title", "year", "genres", "imdb_id", "tmdb_id")
"""Of which good records of a film tell at most one."""


def read_items(spark: SparkSession, files: Mapping[int, RawFile], max_record_bytes: int) -> Described:
    """The films of the files; one that only links or tags speak of has a row too, without a title."""
    genres = next((file for file in files.values() if U_DATA.part(file.name) == "genres"), None)
    records = read_parts(spark, files, _parts(genres), told=_TOLD, max_record_bytes=max_record_bytes)
    return Described(records, with_all_columns(_rows(records), "bronze_items"), survey_of(records))


def _parts(genres: RawFile | None) -> tuple[Part, ...]:
    csv = Dialect(",", quoted=True, header=True, encoding=UTF8_OR_LATIN1)
    dat = Dialect("::", quoted=False, header=False, encoding=UTF8_OR_LATIN1)
    bars = Dialect("|", quoted=False, header=False, encoding=UTF8_OR_LATIN1)
    films = partial(hundred_k.films, genres=hundred_k.genre_names(genres))
    return (
        Part(CSV, "movies", csv, ("movieId", "title", "genres"), _films),
        Part(CSV, "links", csv, ("movieId", "imdbId", "tmdbId"), _links),
        Part(CSV, "tags", csv, ("movieId", "tag"), _tags),
        Part(DAT, "movies", dat, ("movieId", "title", "genres"), _films),
        Part(DAT, "tags", dat, ("userId", "movieId", "tag", "timestamp"), _tags),
        Part(U_DATA, "movies", bars, hundred_k.ITEM_COLUMNS, films),
        Part(U_DATA, "genres", bars, hundred_k.GENRE_COLUMNS, hundred_k.genres_named),
    )


def _films(records: DataFrame) -> DataFrame:
    names = F.transform(F.split("genres", r"\|"), F.trim)
    told = records.withColumns(
        {
            "item_id": whole_number("movieId"),
            "year": year_in("title"),
            "title": without_year("title"),
            "genres": F.array_distinct(F.filter(names, lambda name: ~name.isin("", _NO_GENRES))),
        }
    )
    return rejected_repeats(rejected_where(told, F.col("item_id").isNull(), NOT_AN_ID), "item_id")


def _links(records: DataFrame) -> DataFrame:
    imdb, tmdb = whole_number("imdbId"), whole_number("tmdbId")
    told = records.withColumns(
        {
            "item_id": whole_number("movieId"),
            "imdb_id": F.concat(F.lit("tt"), F.lpad(imdb.cast("string"), F.greatest(F.lit(7), F.length(imdb)), "0")),
            "tmdb_id": tmdb,
        }
    )
    bad = _no_number("imdbId", imdb) | _no_number("tmdbId", tmdb)
    judged = rejected_where(told, F.col("item_id").isNull(), NOT_AN_ID)
    return rejected_repeats(rejected_where(judged, bad, NOT_A_LINK), "item_id")


def _no_number(text: str, number: Column) -> Column:
    return text_or_null(text).isNotNull() & number.isNull()


def _tags(records: DataFrame) -> DataFrame:
    told = records.withColumns({"item_id": whole_number("movieId"), "tag": text_or_null("tag")})
    judged = rejected_where(told, F.col("item_id").isNull(), NOT_AN_ID)
    return rejected_where(judged, F.col("tag").isNull(), NO_TAG)


def _rows(records: DataFrame) -> DataFrame:
    """Grain film; columns item_id, title, year, genres, imdb_id, tmdb_id, tags.

    A tag is as most of its users write it, whatever its case, and those of most users come first.
    """
    good = records.where(F.col("reason").isNull())
    films = good.where("part IN ('movies', 'links')").select("item_id", *_ONE_A_FILM)
    tags = good.where("part = 'tags'").groupBy("item_id", F.lower("tag").alias("folded"))
    ranked = tags.agg(F.struct(-F.count(F.lit(1)), "folded", F.mode("tag", True).alias("tag")).alias("ranked"))
    told = films.unionByName(ranked.select("item_id", "ranked"), allowMissingColumns=True)
    most_frequent = F.slice(F.array_sort(F.collect_list("ranked")), 1, MOST_TAGS)
    return told.groupBy("item_id").agg(
        *(F.max(name).alias(name) for name in _ONE_A_FILM),
        F.transform(most_frequent, lambda one: one["tag"]).alias("tags"),
    )
