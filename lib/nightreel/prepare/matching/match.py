"""Items to films, one or none each."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from nightreel.prepare.matching.candidates import RANKED, candidates, rank
from nightreel.prepare.matching.rules import Rule, Unmatched


def match(items: DataFrame, films: DataFrame) -> DataFrame:
    """The film of each item, found by the surest rule that finds any, and never guessed.

    An item is left without a film where that rule finds several, and where another item has as good a claim to the
    film or a better one; only by its ids, or as an edition of it, a film is several items'.

    Parameters
    ----------
    items : grain item; columns item_id, title, year, other_title, other_year, tmdb_id, imdb_id, nullable but the first
    films : grain film; columns metadata_id, title, original_title, year, imdb_id, nullable but the first

    Returns
    -------
    grain item; columns item_id, metadata_id (null without a film), matched_by string (a Rule, or an Unmatched)
    """
    judged = _among_items(_best(candidates(items, films)))
    matched_by = F.get(F.array(*map(F.lit, RANKED)), F.col("rank"))
    film = F.when(F.col("rank") < len(Rule), F.col("metadata_id"))
    return judged.select("item_id", film.alias("metadata_id"), matched_by.alias("matched_by"))


def _best(found: DataFrame) -> DataFrame:
    """Grain item; columns item_id, metadata_id, and rank: that of the surest rule, or of why it finds none."""
    # The lowest and the highest id of those with the lowest rank: without a shuffle to count them.
    lowest = F.min(F.struct("rank", "metadata_id")).alias("lowest")
    highest = F.min(F.struct("rank", (-F.col("metadata_id")).alias("minus_id"))).alias("highest")
    best = found.groupBy("item_id").agg(lowest, highest)
    several = (F.col("lowest.rank") < len(Rule)) & (F.col("lowest.metadata_id") != -F.col("highest.minus_id"))
    judged = F.when(several, rank(Unmatched.SEVERAL_FILMS)).otherwise(F.col("lowest.rank"))
    return best.select("item_id", "lowest.metadata_id", judged.alias("rank"))


def _among_items(best: DataFrame) -> DataFrame:
    """The same, with the ranks of those whose film another item has or may have."""
    own, claims = F.col("rank"), F.col("rank") < len(Rule)
    # Items without a candidate are no one's rivals; by their own id they do not meet in one task.
    rivals = Window.partitionBy(F.coalesce("metadata_id", F.xxhash64("item_id")))
    first = F.min(F.when(claims, F.struct(own.alias("rank"), "item_id"))).over(rivals)
    last = F.max(F.when(claims, F.struct((-own).alias("minus_rank"), "item_id"))).over(rivals)
    met = best.select("*", first.alias("first"), last.alias("last"))
    is_surest, is_sole = own == F.col("first.rank"), F.col("first.item_id") == F.col("last.item_id")
    shares = own.isin([RANKED.index(rule) for rule in Rule if rule.shares])
    judged = (
        F.when(~claims | shares | (is_surest & is_sole), own)
        .when(is_surest, rank(Unmatched.SEVERAL_ITEMS))
        .otherwise(rank(Unmatched.TAKEN))
    )
    return met.select("item_id", "metadata_id", judged.alias("rank"))
