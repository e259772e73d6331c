"""Items to films, one or none each."""

from __future__ import annotations

from enum import StrEnum

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from nightreel.prepare.matching.keys import Kind, keys_of_films, keys_of_items


class Rule(StrEnum):
    """In the order in which they count: what a rule finds, a later one does not change."""

    TMDB_ID = "TMDB id"
    IMDB_ID = "IMDb id"
    TITLE = "title and year"
    TITLE_NEXT_YEAR = "title, a year apart"
    EDITION = "title without edition, at most a year apart"
    OTHER_TITLE = "other title and year"
    OTHER_TITLE_NEXT_YEAR = "other title, a year apart"
    TITLE_ALONE = "title alone"

    @property
    def shares(self) -> bool:
        """Several items may have one film by it: as the same film, or as editions of it."""
        return self in (Rule.TMDB_ID, Rule.IMDB_ID, Rule.EDITION)


class Unmatched(StrEnum):
    """Why an item has no film."""

    OTHER_YEAR = "no film of its year"
    NO_SUCH_TITLE = "no such title"
    NO_SUCH_ID = "no film with its ids"
    NO_TITLE = "no title"
    SEVERAL_FILMS = "ambiguous: several films"
    SEVERAL_ITEMS = "ambiguous: several items"
    TAKEN = "another item's film"


AMBIGUOUS = (Unmatched.SEVERAL_FILMS, Unmatched.SEVERAL_ITEMS)


def films(metadata: DataFrame, *, min_votes: int) -> DataFrame:
    """One row of each film with votes enough: of several rows with the same id, the one with the most votes.

    Parameters
    ----------
    metadata : grain metadata row; as bronze_metadata
    min_votes : films with fewer are left out; one without a count has none

    Returns
    -------
    grain film; the columns of `metadata`
    """
    votes = F.coalesce("vote_count", F.lit(0).cast("bigint"))
    voted = metadata.where(F.col("metadata_id").isNotNull() & (votes >= min_votes))
    others = [name for name in metadata.columns if name not in ("metadata_id", "vote_count")]
    # Of equally many votes the largest row, so that the same rows give the same films.
    best = F.max(F.struct(votes.alias("votes"), "vote_count", *others)).alias("best")
    return voted.groupBy("metadata_id").agg(best).select(*_from(metadata.columns))


def _from(columns: list[str]) -> list[str]:
    return [name if name == "metadata_id" else f"best.{name}" for name in columns]


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


"""Where one would have to guess."""


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


def match_rates(items: DataFrame) -> DataFrame:
    """Counts and shares by rule or reason.

    Parameters
    ----------
    items : grain item; columns matched_by string, metadata_id, n_ratings bigint

    Returns
    -------
    grain rule, or reason for no match; as silver_match_rates
    """
    counts = items.groupBy("matched_by").agg(
        (F.count("metadata_id") > 0).alias("matched"),
        F.count(F.lit(1)).alias("items"),
        F.sum("n_ratings").alias("ratings"),
    )
    return counts.select(
        "matched_by",
        "matched",
        "items",
        _share("items").alias("item_share"),
        "ratings",
        _share("ratings").alias("rating_share"),
    )


def _share(count: str) -> Column:
    return F.col(count) / F.sum(count).over(Window.partitionBy(F.lit(1)))
