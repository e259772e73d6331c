"""Films that an item may be, each by the surest rule that finds it."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from nightreel.prepare.matching.keys import Kind, keys_of_films, keys_of_items
from nightreel.prepare.matching.rules import Rule, Unmatched

RANKED = (*Rule, *Unmatched)
"""A rank is a place here: of two answers about an item, the one with the lower rank holds."""


def candidates(items: DataFrame, films: DataFrame) -> DataFrame:
    """Films with an item's ids or a title of its, and of items for which there are none the reason.

    Parameters
    ----------
    items, films : see keys_of_items and keys_of_films

    Returns
    -------
    grain item x candidate x key; columns item_id, metadata_id (null without a candidate), rank int
    """
    known = keys_of_films(films).select("key", "metadata_id", _of_film("kind"), _of_film("year"))
    return keys_of_items(items).join(known, "key", "left").select("item_id", "metadata_id", _rank().alias("rank"))


def rank(answer: Rule | Unmatched) -> Column:
    return F.lit(RANKED.index(answer))


def _rank() -> Column:
    kind, year, film_kind = F.col("kind"), F.col("year"), F.col("film_kind")
    apart = F.abs(year - F.col("film_year"))
    by_id = kind.isin([Kind.TMDB_ID, Kind.IMDB_ID])
    both_titles = (kind == Kind.TITLE) & (film_kind == Kind.TITLE)
    without_film = (
        F.when(kind.isNull(), rank(Unmatched.NO_TITLE))
        .when(by_id, rank(Unmatched.NO_SUCH_ID))
        .otherwise(rank(Unmatched.NO_SUCH_TITLE))
    )
    return (
        F.when(film_kind.isNull(), without_film)
        .when(kind == Kind.TMDB_ID, rank(Rule.TMDB_ID))
        .when(kind == Kind.IMDB_ID, rank(Rule.IMDB_ID))
        .when(year.isNull(), rank(Rule.TITLE_ALONE))
        .when(apart.isNull() | (apart > 1), rank(Unmatched.OTHER_YEAR))
        .when(kind == Kind.EDITION, rank(Rule.EDITION))
        .when(both_titles & (apart == 0), rank(Rule.TITLE))
        .when(both_titles, rank(Rule.TITLE_NEXT_YEAR))
        .when(apart == 0, rank(Rule.OTHER_TITLE))
        .otherwise(rank(Rule.OTHER_TITLE_NEXT_YEAR))
    )


def _of_film(name: str) -> Column:
    return F.col(name).alias(f"film_{name}")
