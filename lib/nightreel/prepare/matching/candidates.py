"""Films that an item may be, each by the surest rule that finds it."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from nightreel.prepare.matching.forms import Kind, forms_of
from nightreel.prepare.matching.rules import Rule

NOT_OF_ITS_YEAR = len(Rule)
"""The rank of a film that has the item's title and another year."""


def candidates(items: DataFrame, films: DataFrame) -> DataFrame:
    """Films with the item's id or title.

    An item that has ids is looked up by them alone: where no film has them, one of the same title is another film.

    Parameters
    ----------
    items : grain item; columns item_id, title, year, other_title, other_year, tmdb_id, imdb_id, nullable but the first
    films : grain film; columns metadata_id, title, original_title, year, imdb_id, nullable but the first

    Returns
    -------
    grain item x film x rank; columns item_id, metadata_id, rank int (Rule.rank, or NOT_OF_ITS_YEAR)
    """
    unlinked = items.where(F.col("tmdb_id").isNull() & F.col("imdb_id").isNull())
    by_tmdb = items.select("item_id", F.col("tmdb_id").alias("metadata_id")).join(films, "metadata_id", "left_semi")
    by_imdb = items.select("item_id", "imdb_id").join(films.select("imdb_id", "metadata_id"), "imdb_id", "inner")
    return (
        _ranked(by_tmdb, F.lit(Rule.TMDB_ID.rank))
        .unionByName(_ranked(by_imdb, F.lit(Rule.IMDB_ID.rank)))
        .unionByName(_by_title(unlinked, films))
    )


def _by_title(items: DataFrame, films: DataFrame) -> DataFrame:
    year_of_other = F.coalesce("other_year", "year")
    asked = forms_of(items, key="item_id", other_title="other_title", other_year=year_of_other)
    known = forms_of(films, key="metadata_id", other_title="original_title", other_year=F.col("year"))
    borne = known.select("form", "metadata_id", F.col("kind").alias("film_kind"), F.col("year").alias("film_year"))
    return _ranked(asked.join(borne, "form", "inner"), _rank_of_title()).distinct()


def _rank_of_title() -> Column:
    apart = F.abs(F.col("year") - F.col("film_year"))
    both_titles = (F.col("kind") == Kind.TITLE) & (F.col("film_kind") == Kind.TITLE)
    return (
        F.when(F.col("year").isNull(), Rule.TITLE_ALONE.rank)
        .when(apart.isNull() | (apart > 1), NOT_OF_ITS_YEAR)
        .when(F.col("kind") == Kind.EDITION, Rule.EDITION.rank)
        .when(both_titles, _same_year_first(apart, Rule.TITLE, Rule.TITLE_NEXT_YEAR))
        .otherwise(_same_year_first(apart, Rule.OTHER_TITLE, Rule.OTHER_TITLE_NEXT_YEAR))
    )


def _same_year_first(apart: Column, same: Rule, next_: Rule) -> Column:
    return F.when(apart == 0, same.rank).otherwise(next_.rank)


def _ranked(pairs: DataFrame, rank: Column) -> DataFrame:
    return pairs.select("item_id", "metadata_id", rank.cast("int").alias("rank"))
