"""Items to films, one or none each."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from nightreel.prepare.matching.candidates import NOT_OF_ITS_YEAR, candidates
from nightreel.prepare.matching.rules import Rule, Unmatched


def match(items: DataFrame, films: DataFrame) -> DataFrame:
    """The film of each item, found by the surest rule that finds any, and never guessed.

    An item is left without a film where that rule finds several, and where another item has as good a claim to the
    film or a better one; only by its ids, or as an edition of it, a film is several items'.

    Parameters
    ----------
    items : grain item; columns item_id, title, year, other_title, other_year, tmdb_id, imdb_id, nullable but the first
    films : grain film; columns metadata_id, title, original_title, year, imdb_id, nullable but the first. Read four
        times

    Returns
    -------
    grain item; columns item_id, metadata_id (null without a film), matched_by string (a Rule, or an Unmatched)
    """
    judged = _judged(_best(candidates(items, films)))
    told = items.select("item_id", _without_candidates().alias("otherwise")).join(judged, "item_id", "left")
    return told.select(
        "item_id",
        F.when(F.col("verdict").isin([*Rule]), F.col("metadata_id")).alias("metadata_id"),
        F.coalesce("verdict", "otherwise").alias("matched_by"),
    )


def _best(found: DataFrame) -> DataFrame:
    """Grain item with candidates; columns item_id, rank of the surest rule, films it finds, the least of them."""
    by_rule = found.groupBy("item_id", "rank").agg(
        F.count_distinct("metadata_id").alias("films"), F.min("metadata_id").alias("metadata_id")
    )
    surest = F.min(F.struct("rank", "films", "metadata_id")).alias("surest")
    return by_rule.groupBy("item_id").agg(surest).select("item_id", "surest.*")


def _judged(best: DataFrame) -> DataFrame:
    """Grain item with candidates; columns item_id, metadata_id, verdict (a Rule, or an Unmatched)."""
    rank, claims = F.col("rank"), (F.col("films") == 1) & (F.col("rank") < NOT_OF_ITS_YEAR)
    surest = F.min(F.when(claims, rank)).over(Window.partitionBy("metadata_id"))
    equals = F.count_if(claims).over(Window.partitionBy("metadata_id", "rank"))
    compared = best.select("*", claims.alias("claims"), surest.alias("surest"), equals.alias("equals"))
    has_it = rank.isin([rule.rank for rule in Rule if rule.shares]) | (
        (rank == F.col("surest")) & (F.col("equals") == 1)
    )
    verdict = (
        F.when(rank == NOT_OF_ITS_YEAR, Unmatched.OTHER_YEAR)
        .when(~F.col("claims"), Unmatched.SEVERAL_FILMS)
        .when(has_it, F.get(F.array(*map(F.lit, Rule)), rank))
        .when(rank == F.col("surest"), Unmatched.SEVERAL_ITEMS)
        .otherwise(Unmatched.TAKEN)
    )
    return compared.select("item_id", "metadata_id", verdict.alias("verdict"))


def _without_candidates() -> Column:
    return (
        F.when(F.col("tmdb_id").isNotNull() | F.col("imdb_id").isNotNull(), Unmatched.NO_SUCH_ID)
        .when(F.trim(F.concat_ws("", "title", "other_title")) == "", Unmatched.NO_TITLE)
        .otherwise(Unmatched.NO_SUCH_TITLE)
    )
