"""What is known about the items kept: their own columns and those of the films they were matched to."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from nightreel.prepare.matching import Unmatched, films, match
from nightreel.prepare.scratch import Scratch
from nightreel.tables.schemas import SCHEMAS

_OF_ITEMS = ("title", "year", "genres", "cast", "tags")
_OF_FILMS = ("overview", "genres", "keywords", "cast", "directors")


def describe(
    kept: DataFrame, items: DataFrame, metadata: DataFrame | None, *, min_votes: int, scratch: Scratch
) -> DataFrame:
    """The items, and beside each the film it was matched to.

    Parameters
    ----------
    kept : grain item kept; columns item_id and any others
    items : grain item; as bronze_items
    metadata : grain metadata row; as bronze_metadata. Without it no film is looked up
    min_votes : films with fewer votes are not looked at
    scratch : holds the films

    Returns
    -------
    grain item kept; the columns of `kept`, title, year, genres, cast and tags; metadata_id and matched_by as in
    silver_items; overview; film_genres, film_keywords, film_cast and film_directors
    """
    told = kept.join(items.select("item_id", *_OF_ITEMS), "item_id", "left")
    if metadata is None:
        return told.withColumns({"metadata_id": _none("bigint"), "matched_by": _none("string")} | _no_film())
    found = scratch.keep(films(metadata, min_votes=min_votes))
    beside = found.select("metadata_id", *[F.col(name).alias(_name(name)) for name in _OF_FILMS])
    matched = told.join(match(items, found), "item_id", "left").join(beside, "metadata_id", "left")
    # An item that nothing describes is in `kept` alone.
    return matched.withColumn("matched_by", F.coalesce("matched_by", F.lit(Unmatched.NO_TITLE)))


def text_of(fields: Sequence[str]) -> Column:
    """The fields (see TextSettings) of what `describe` returns, one after another; null and empty ones leave nothing.

    Genres and cast are the item's, and then those that only its film has.
    """
    return F.concat_ws(" ", *map(_field, fields))


def _field(name: str) -> Column:
    if name in _OF_ITEMS and name in _OF_FILMS:
        none = F.array().cast("array<string>")
        return F.array_union(F.coalesce(name, none), F.coalesce(_name(name), none))
    return F.col(_name(name) if name in _OF_FILMS else name)


def _name(of_film: str) -> str:
    return of_film if of_film == "overview" else f"film_{of_film}"


def _no_film() -> dict[str, Column]:
    return {_name(name): _none(SCHEMAS["bronze_metadata"].columns[name]) for name in _OF_FILMS}


def _none(kind: str) -> Column:
    return F.lit(None).cast(kind)
