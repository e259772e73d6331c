"""From ratings as delivered to the silver tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from nightreel.errors import DataError
from nightreel.prepare.cache import Cache
from nightreel.prepare.dense import Dense, Known, densify
from nightreel.prepare.filters import deduplicate, keep_active, nothing_left
from nightreel.prepare.matching import BY_ID, Unmatched, films, match, match_rates
from nightreel.prepare.splits import split
from nightreel.prepare.text import ItemText, item_text
from nightreel.settings import Settings, SplitSettings
from nightreel.sources.source import with_all_columns
from nightreel.tables.schemas import SCHEMAS

_ROWS_PER_FILE = 4_000_000
_ITEM_COLUMNS = ("title", "year", "genres", "cast", "tags")
_FILM_COLUMNS = ("title", "year", "overview", "genres", "keywords", "cast", "directors")


class Silver(NamedTuple):
    """The rows of the silver tables, ready to write.

    interactions : grain user x item; as silver_interactions. A partition holds a range of users, sorted by split,
        user_idx, item_idx, so a file holds a narrow range of users
    users : grain user; as silver_users
    items : grain item; as silver_items
    match_rates : grain rule, or reason for no match; as silver_match_rates; empty without metadata
    text : as silver_item_text and silver_vocabulary
    counts : how many ratings came in, were dropped and were kept, with labels for a person
    new_users, new_items : what silver_user_index and silver_item_index do not have yet
    """

    interactions: DataFrame
    users: DataFrame
    items: DataFrame
    match_rates: DataFrame
    text: ItemText
    counts: Mapping[str, int]
    new_users: DataFrame
    new_items: DataFrame


@contextmanager
def prepare(
    ratings: DataFrame,
    items: DataFrame,
    settings: Settings,
    *,
    metadata: DataFrame | None = None,
    pairs: DataFrame | None = None,
    known: Known | None = None,
) -> Iterator[Silver]:
    """Resolve duplicates, drop sparse users and items, split, assign dense indices, and match items to films.

    The context persists what the tables are computed from: write them inside it.

    Parameters
    ----------
    ratings : grain rating as delivered; as bronze_ratings
    items : grain item; as bronze_items
    settings : its sections filter, split, metadata and text
    metadata : grain metadata row; as bronze_metadata. Without it no item is matched
    pairs : the pairs to test, for strategies probe and published; columns user_id, item_id
    known : the indices of earlier nights

    Raises
    ------
    DataError : there are no ratings, the filters leave none, or the split leaves none for training or for testing
    """
    with Cache() as cache:
        with Cache() as early:
            unique = early.persist(deduplicate(ratings, rule=settings.filter.repeats))
            distinct, rows_in = unique.agg(F.count("*"), F.coalesce(F.sum("deliveries"), F.lit(0))).collect()[0]
            if rows_in == 0:
                raise DataError("there are no ratings to prepare; were any ingested?")
            active = keep_active(unique, settings.filter, cache=early).drop("deliveries")
            marked = cache.persist(split(active, settings.split, pairs=pairs))
            rows = {row["split"]: row["count"] for row in marked.groupBy("split").count().collect()}
            if not rows:
                raise nothing_left(unique, settings.filter)
            _check_split(rows, settings.split)
            dense = densify(marked, cache=cache, known=known)
            counts = {
                "ratings in": rows_in,
                "repeats resolved": rows_in - distinct,
                "dropped by the filters": distinct - sum(rows.values()),
                "kept": sum(rows.values()),
                "users": dense.n_users,
                "items": dense.n_items,
                **{f"{mark} rows": rows.get(mark, 0) for mark in ("train", "validation", "test")},
            }
            silver = _silver(dense, items, metadata, counts, settings, cache)
        yield silver


def _check_split(rows: Mapping[str, int], given: SplitSettings) -> None:
    for name, purpose in (("train", "training"), ("test", "testing")):
        if not rows.get(name):
            raise DataError(
                f'split: strategy = "{given.strategy}", test_share = {given.test_share}, test_rows = {given.test_rows}'
                f" leave no rating for {purpose} of {sum(rows.values()):,}"
            )


def _silver(
    dense: Dense,
    items: DataFrame,
    metadata: DataFrame | None,
    counts: Mapping[str, int],
    settings: Settings,
    cache: Cache,
) -> Silver:
    files = -(-counts["kept"] // _ROWS_PER_FILE)
    interactions = (
        dense.interactions.select("user_idx", "item_idx", "rating", "rated_at", "split")
        .repartitionByRange(files, "user_idx")
        .sortWithinPartitions("split", "user_idx", "item_idx")
    )
    details = _item_details(dense.items, items, metadata, min_votes=settings.metadata.min_votes, cache=cache)
    text = F.concat_ws(" ", *map(_text_field, settings.text.fields))  # skips nulls
    details = cache.persist(details.withColumn("text", text))
    return Silver(
        interactions,
        dense.users,
        with_all_columns(details, "silver_items"),
        match_rates(details if metadata is not None else details.limit(0)),
        item_text(details, settings.text, n_items=dense.n_items, cache=cache),
        counts,
        dense.new_users,
        dense.new_items,
    )


def _item_details(
    kept: DataFrame, items: DataFrame, metadata: DataFrame | None, *, min_votes: int, cache: Cache
) -> DataFrame:
    """The items kept, with the columns of the film that each was matched to.

    An item matched by its ids takes title, year and genres from its film where it has none of its own.

    Returns
    -------
    grain item kept; the columns of `kept`, title, year, genres, cast and tags; metadata_id and matched_by as in
    silver_items; overview, keywords and directors of the film; film_title, film_year, film_genres and film_cast
    """
    details = kept.join(items.select("item_id", *_ITEM_COLUMNS), "item_id", "left")
    if metadata is None:
        types = {_film_column(name): SCHEMAS["bronze_metadata"].columns[name] for name in _FILM_COLUMNS}
        types |= {"metadata_id": "bigint", "matched_by": "string"}
        return details.withColumns({name: F.lit(None).cast(kind) for name, kind in types.items()})
    known = cache.persist(films(metadata, min_votes=min_votes))
    of_film = known.select("metadata_id", *[F.col(name).alias(_film_column(name)) for name in _FILM_COLUMNS])
    matched = details.join(match(items, known), "item_id", "left").join(of_film, "metadata_id", "left")
    # An item without a row in `items` is missing from the matches.
    judged = matched.withColumn("matched_by", F.coalesce("matched_by", F.lit(Unmatched.NO_TITLE)))
    by_id = F.col("matched_by").isin([str(rule) for rule in BY_ID])
    is_given = {"title": F.trim("title") != "", "year": F.col("year").isNotNull(), "genres": F.size("genres") > 0}
    return judged.withColumns(
        {
            name: F.coalesce(F.when(given, F.col(name)), F.when(by_id, F.col(_film_column(name))), F.col(name))
            for name, given in is_given.items()
        }
    )


def _text_field(name: str) -> Column:
    """A field of TextSettings; of genres and cast, the item's and then those that only its film has."""
    if name not in ("genres", "cast"):
        return F.col(name)
    none = F.array().cast("array<string>")
    return F.array_union(F.coalesce(name, none), F.coalesce(_film_column(name), none))


def _film_column(name: str) -> str:
    return f"film_{name}" if name in _ITEM_COLUMNS else name
