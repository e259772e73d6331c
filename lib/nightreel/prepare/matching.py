"""Items matched to films of the metadata: by ids, or by title and year, never by a guess."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import NamedTuple

import pyarrow as pa
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from nightreel.prepare.titles import names, normalised_title


class Rule(StrEnum):
    """How an item finds its film, the surest rule first: a later rule never overrides an earlier one."""

    TMDB_ID = "TMDB id"
    IMDB_ID = "IMDb id"
    TITLE = "title and year"
    TITLE_NEXT_YEAR = "title, a year apart"
    EDITION = "title without edition, at most a year apart"
    OTHER_TITLE = "other title and year"
    OTHER_TITLE_NEXT_YEAR = "other title, a year apart"
    TITLE_ALONE = "title alone"


BY_ID = (Rule.TMDB_ID, Rule.IMDB_ID)
_SHARED = (*BY_ID, Rule.EDITION)
"""Several items may match one film by these rules: as the same film, or as its editions."""


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
_RANKED = (*Rule, *Unmatched)
"""A rank is a position here: of two answers about an item, the one with the lower rank holds."""


def films(metadata: DataFrame, *, min_votes: int) -> DataFrame:
    """One row for each film with enough votes: of several rows with the same id, the one with the most votes.

    Parameters
    ----------
    metadata : grain metadata row; as bronze_metadata
    min_votes : films with fewer are left out; a missing count is 0

    Returns
    -------
    grain film; the columns of `metadata`
    """
    votes = F.coalesce("vote_count", F.lit(0).cast("bigint"))
    voted = metadata.where(F.col("metadata_id").isNotNull() & (votes >= min_votes))
    others = [name for name in metadata.columns if name not in ("metadata_id", "vote_count")]
    # Of equally many votes the largest row, so that the same rows give the same films.
    best = F.max(F.struct(votes.alias("votes"), "vote_count", *others)).alias("best")
    columns = [name if name == "metadata_id" else f"best.{name}" for name in metadata.columns]
    return voted.groupBy("metadata_id").agg(best).select(*columns)


def match(items: DataFrame, films: DataFrame) -> DataFrame:
    """The film of each item, found by the surest rule that finds any.

    An item has no film if that rule finds several, or if another item has an equal or better claim to the film. Only
    ids and editions let several items have the same film. An item with ids is looked up by them alone: if no film has
    its ids, a film of the same title is another one.

    Parameters
    ----------
    items : grain item; columns item_id, title, year, other_title, other_year, tmdb_id, imdb_id, nullable but the first
    films : grain film; columns metadata_id, title, original_title, year, imdb_id, nullable but the first

    Returns
    -------
    grain item; columns item_id, metadata_id (null without a film), matched_by string (a Rule, or an Unmatched)
    """
    film_keys = _film_keys(films).withColumnsRenamed({"kind": "film_kind", "year": "film_year"})
    candidates = _item_keys(items).join(film_keys, "key", "left")
    ranked = candidates.select("item_id", "metadata_id", _candidate_rank().alias("rank"))
    matched = _resolve_items(_resolve_films(ranked))
    film = F.when(F.col("rank") < len(Rule), F.col("metadata_id"))
    matched_by = F.get(F.array(*map(F.lit, _RANKED)), F.col("rank"))
    return matched.select("item_id", film.alias("metadata_id"), matched_by.alias("matched_by"))


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
    every = Window.partitionBy(F.lit(1))
    item_share = (F.col("items") / F.sum("items").over(every)).alias("item_share")
    rating_share = (F.col("ratings") / F.sum("ratings").over(every)).alias("rating_share")
    return counts.select("matched_by", "matched", "items", item_share, "ratings", rating_share)


def _rank(answer: Rule | Unmatched) -> Column:
    return F.lit(_RANKED.index(answer))


def _candidate_rank() -> Column:
    """The rank of an item's key and a film's: columns kind, year, film_kind, film_year (null without a film)."""
    kind, year, film_kind = F.col("kind"), F.col("year"), F.col("film_kind")
    apart = F.abs(year - F.col("film_year"))
    both_titles = (kind == KeyKind.TITLE) & (film_kind == KeyKind.TITLE)
    without_film = (
        F.when(kind.isNull(), _rank(Unmatched.NO_TITLE))
        .when(kind.isin([KeyKind.TMDB_ID, KeyKind.IMDB_ID]), _rank(Unmatched.NO_SUCH_ID))
        .otherwise(_rank(Unmatched.NO_SUCH_TITLE))
    )
    return (
        F.when(film_kind.isNull(), without_film)
        .when(kind == KeyKind.TMDB_ID, _rank(Rule.TMDB_ID))
        .when(kind == KeyKind.IMDB_ID, _rank(Rule.IMDB_ID))
        .when(year.isNull(), _rank(Rule.TITLE_ALONE))
        .when(apart.isNull() | (apart > 1), _rank(Unmatched.OTHER_YEAR))
        .when(kind == KeyKind.EDITION, _rank(Rule.EDITION))
        .when(both_titles & (apart == 0), _rank(Rule.TITLE))
        .when(both_titles, _rank(Rule.TITLE_NEXT_YEAR))
        .when(apart == 0, _rank(Rule.OTHER_TITLE))
        .otherwise(_rank(Rule.OTHER_TITLE_NEXT_YEAR))
    )


def _resolve_films(candidates: DataFrame) -> DataFrame:
    """Each item's best candidate, none if its rule finds several films; grain item, columns as `candidates`."""
    # The lowest and the highest id of those with the lowest rank: without a shuffle to count them.
    lowest = F.min(F.struct("rank", "metadata_id")).alias("lowest")
    highest = F.min(F.struct("rank", (-F.col("metadata_id")).alias("minus_id"))).alias("highest")
    best = candidates.groupBy("item_id").agg(lowest, highest)
    several = (F.col("lowest.rank") < len(Rule)) & (F.col("lowest.metadata_id") != -F.col("highest.minus_id"))
    rank = F.when(several, _rank(Unmatched.SEVERAL_FILMS)).otherwise(F.col("lowest.rank"))
    return best.select("item_id", "lowest.metadata_id", rank.alias("rank"))


def _resolve_items(best: DataFrame) -> DataFrame:
    """The same rows, with another rank if another item has an equal or better claim to the film."""
    own, claims = F.col("rank"), F.col("rank") < len(Rule)
    # Items without a candidate have no rivals; partitioned by their own id they do not meet in one task.
    rivals = Window.partitionBy(F.coalesce("metadata_id", F.xxhash64("item_id")))
    first = F.min(F.when(claims, F.struct(own.alias("rank"), "item_id"))).over(rivals)
    last = F.max(F.when(claims, F.struct((-own).alias("minus_rank"), "item_id"))).over(rivals)
    compared = best.select("*", first.alias("first"), last.alias("last"))
    is_surest, is_sole = own == F.col("first.rank"), F.col("first.item_id") == F.col("last.item_id")
    shares = own.isin([_RANKED.index(rule) for rule in _SHARED])
    rank = (
        F.when(~claims | shares | (is_surest & is_sole), own)
        .when(is_surest, _rank(Unmatched.SEVERAL_ITEMS))
        .otherwise(_rank(Unmatched.TAKEN))
    )
    return compared.select("item_id", "metadata_id", rank.alias("rank"))


class KeyKind(StrEnum):
    """What a key is made of: an id, or a title (normalised)."""

    TMDB_ID = "TMDB id"
    IMDB_ID = "IMDb id"
    TITLE = "title"
    EDITION = "edition"
    """The film of which the title names an edition."""
    OTHER = "other"
    """A name in brackets, or the title in another language."""


class Key(NamedTuple):
    """A key, and the release year that goes with it."""

    kind: str | None
    text: str | None
    year: int | None


class Identifiers(NamedTuple):
    """The columns that items and films are identified by."""

    title: str | None
    year: int | None
    other_title: str | None
    other_year: int | None
    tmdb_id: int | None
    imdb_id: str | None


def item_keys(item: Identifiers) -> list[Key]:
    """The item's ids, else its titles, else one key without a kind."""
    return _id_keys(item) or _title_keys(item) or [Key(None, None, None)]


def _title_keys(of: Identifiers) -> list[Key]:
    """Each name of both titles, normalised, once."""
    found = dict[tuple[KeyKind, str], int | None]()
    for title, year, is_other in ((of.title, of.year, False), (of.other_title, of.other_year, True)):
        named = names(title or "")
        kind = KeyKind.OTHER if is_other else KeyKind.EDITION if named.edition else KeyKind.TITLE
        for each, name in [(kind, named.film), *((KeyKind.OTHER, other) for other in named.others)]:
            found.setdefault((each, normalised_title(name)), year)
    return [Key(kind, text, year) for (kind, text), year in found.items() if text]


def _id_keys(of: Identifiers) -> list[Key]:
    # No normalised title has both letters and a colon.
    ids = ((KeyKind.TMDB_ID, of.tmdb_id), (KeyKind.IMDB_ID, of.imdb_id))
    return [Key(kind, f"{kind}: {value}", None) for kind, value in ids if value]


def _item_keys(items: DataFrame) -> DataFrame:
    """Grain item x key, at least one row for each item; columns item_id, kind, key, year (nullable but the first)."""
    year_of_other = F.coalesce("other_year", "year").alias("other_year")
    columns = items.select("item_id", "title", "year", "other_title", year_of_other, "tmdb_id", "imdb_id")
    return _keyed(columns, item_keys)


def _film_keys(films: DataFrame) -> DataFrame:
    """Grain film x key; columns metadata_id, kind string, key string, year int (nullable)."""
    year, tmdb_id = F.col("year").alias("year_of_original"), F.col("metadata_id").alias("tmdb_id")
    columns = films.select("metadata_id", "title", "year", "original_title", year, tmdb_id, "imdb_id")
    return _keyed(columns, lambda film: [*_id_keys(film), *_title_keys(film)])


def _keyed(rows: DataFrame, keys_of: Callable[[Identifiers], list[Key]]) -> DataFrame:
    """One row for each key of a row: its first column, kind, key, year. Its other columns are Identifiers, in order."""
    (id_name, id_type), *_ = rows.dtypes

    def batches_of_keys(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            ids, *identifiers = (column.to_pylist() for column in batch.columns)
            known = map(Identifiers._make, zip(*identifiers, strict=True))
            keyed = [(id_, *key) for id_, of in zip(ids, known, strict=True) for key in keys_of(of)]
            types = [batch.schema.field(0).type, pa.string(), pa.string(), pa.int32()]
            columns = [pa.array([row[place] for row in keyed], kind) for place, kind in enumerate(types)]
            yield pa.RecordBatch.from_arrays(columns, names=[id_name, "kind", "key", "year"])

    return rows.mapInArrow(batches_of_keys, f"{id_name} {id_type}, kind string, key string, year int")
