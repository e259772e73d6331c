"""What is known about the items kept: their own columns and those of the films they were matched to."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from nightreel.prepare.cache import Cache
from nightreel.prepare.matching import BY_ID, Unmatched, films, match
from nightreel.tables.schemas import SCHEMAS

_ITEM_COLUMNS = ("title", "year", "genres", "cast", "tags")
_FILM_COLUMNS = ("title", "year", "overview", "genres", "keywords", "cast", "directors")


def item_details(
    kept: DataFrame, items: DataFrame, metadata: DataFrame | None, *, min_votes: int, cache: Cache
) -> DataFrame:
    """The items kept, with the columns of the film that each was matched to.

    An item matched by its ids takes title, year and genres from its film where it has none of its own.

    Parameters
    ----------
    kept : grain item kept; columns item_id and any others
    items : grain item; as bronze_items
    metadata : grain metadata row; as bronze_metadata. Without it no item is matched
    min_votes : films with fewer votes are left out
    cache : persists the films

    Returns
    -------
    grain item kept; the columns of `kept`, title, year, genres, cast and tags; metadata_id and matched_by as in
    silver_items; overview, keywords and directors of the film; film_title, film_year, film_genres and film_cast
    """
    details = kept.join(items.select("item_id", *_ITEM_COLUMNS), "item_id", "left")
    if metadata is None:
        unmatched = {"metadata_id": _null("bigint"), "matched_by": _null("string")}
        no_film = {_film_column(name): _null(SCHEMAS["bronze_metadata"].columns[name]) for name in _FILM_COLUMNS}
        return details.withColumns(unmatched | no_film)
    known = cache.persist(films(metadata, min_votes=min_votes))
    of_film = known.select("metadata_id", *[F.col(name).alias(_film_column(name)) for name in _FILM_COLUMNS])
    matched = details.join(match(items, known), "item_id", "left").join(of_film, "metadata_id", "left")
    # An item without a row in `items` is missing from the matches.
    judged = matched.withColumn("matched_by", F.coalesce("matched_by", F.lit(Unmatched.NO_TITLE)))
    return judged.withColumns(_filled_from_film())


def _filled_from_film() -> dict[str, Column]:
    by_id = F.col("matched_by").isin([str(rule) for rule in BY_ID])
    own = {
        "title": F.when(F.trim("title") != "", F.col("title")),
        "year": F.col("year"),
        "genres": F.when(F.size("genres") > 0, F.col("genres")),
    }
    return {
        name: F.coalesce(value, F.when(by_id, F.col(_film_column(name))), F.col(name)) for name, value in own.items()
    }


def text_of(fields: Sequence[str]) -> Column:
    """The fields (see TextSettings) of what `item_details` returns, one after another; nulls are skipped.

    Genres and cast are the item's, and then those that only its film has.
    """
    return F.concat_ws(" ", *map(_field, fields))


def _field(name: str) -> Column:
    if name in ("genres", "cast"):
        none = F.array().cast("array<string>")
        return F.array_union(F.coalesce(name, none), F.coalesce(_film_column(name), none))
    return F.col(name)


def _film_column(name: str) -> str:
    return f"film_{name}" if name in _ITEM_COLUMNS else name


def _null(kind: str) -> Column:
    return F.lit(None).cast(kind)
