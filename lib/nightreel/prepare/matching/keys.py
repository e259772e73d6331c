"""The keys by which items and films are looked up: their ids, and the forms of their titles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from nightreel.prepare.matching.titles import names, title_form


class Kind(StrEnum):
    """What a key is. Those of titles are forms (see title_form)."""

    TMDB_ID = "TMDB id"
    IMDB_ID = "IMDb id"
    TITLE = "title"
    EDITION = "edition"
    """The film of which the title names an edition."""
    OTHER = "other"
    """A name in brackets, or the title in another language."""


class Key(NamedTuple):
    """A key, and the year in which a film came out that has it as a title."""

    kind: str | None
    text: str | None
    year: int | None


class Described(NamedTuple):
    """What an item or a film has to be known by."""

    title: str | None
    year: int | None
    other_title: str | None
    other_year: int | None
    tmdb_id: int | None
    imdb_id: str | None


def keys_of_items(items: DataFrame) -> DataFrame:
    """The ids of an item that has ids, else the forms of its titles.

    Where no film has an item's ids, one of the same title is another film.

    Parameters
    ----------
    items : grain item; columns item_id, title, year, other_title, other_year, tmdb_id, imdb_id, nullable but the first

    Returns
    -------
    grain item x key, one row at least for each item; columns item_id, kind string (a Kind, null where there is no
    key), key string, year int (nullable)
    """
    year_of_other = F.coalesce("other_year", "year").alias("other_year")
    asked = items.select("item_id", "title", "year", "other_title", year_of_other, "tmdb_id", "imdb_id")
    kind = dict(asked.dtypes)["item_id"]
    return asked.mapInArrow(_keys_of_items, f"item_id {kind}, kind string, key string, year int")


def keys_of_films(films: DataFrame) -> DataFrame:
    """The ids of each film and the forms of its titles.

    Parameters
    ----------
    films : grain film; columns metadata_id, title, original_title, year, imdb_id, nullable but the first

    Returns
    -------
    grain film x key; columns metadata_id, kind string (a Kind), key string, year int (nullable)
    """
    year, tmdb_id = F.col("year").alias("year_of_original"), F.col("metadata_id").alias("tmdb_id")
    asked = films.select("metadata_id", "title", "year", "original_title", year, tmdb_id, "imdb_id")
    return asked.mapInArrow(_keys_of_films, "metadata_id bigint, kind string, key string, year int")


def item_keys(item: Described) -> list[Key]:
    """One at least, which has no kind where there is nothing to look the item up by."""
    return _id_keys(item) or list(title_keys(item)) or [Key(None, None, None)]


def title_keys(of: Described) -> Iterator[Key]:
    """The form of each name, each once."""
    found = dict[tuple[Kind, str], int | None]()
    for title, year, is_other in ((of.title, of.year, False), (of.other_title, of.other_year, True)):
        named = names(title or "")
        kind = Kind.OTHER if is_other else Kind.EDITION if named.edition else Kind.TITLE
        for each, name in [(kind, named.film), *((Kind.OTHER, other) for other in named.others)]:
            found.setdefault((each, title_form(name)), year)
    return (Key(kind, form, year) for (kind, form), year in found.items() if form)


def _id_keys(of: Described) -> list[Key]:
    # No title's form has a colon beside letters.
    ids = ((Kind.TMDB_ID, of.tmdb_id), (Kind.IMDB_ID, of.imdb_id))
    return [Key(kind, f"{kind}: {value}", None) for kind, value in ids if value]


def _keys_of_items(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        ids, *described = (column.to_pylist() for column in batch.columns)
        keyed = zip(ids, (item_keys(Described(*item)) for item in zip(*described, strict=True)), strict=True)
        yield _batch("item_id", batch.schema.field(0).type, keyed)


def _keys_of_films(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        ids, *described = (column.to_pylist() for column in batch.columns)
        films = map(Described._make, zip(*described, strict=True))
        keyed = zip(ids, ([*_id_keys(film), *title_keys(film)] for film in films), strict=True)
        yield _batch("metadata_id", pa.int64(), keyed)


def _batch(name: str, kind: pa.DataType, keyed: Iterable[tuple[object, list[Key]]]) -> pa.RecordBatch:
    rows = [(of, *key) for of, keys in keyed for key in keys]
    kinds = [kind, pa.string(), pa.string(), pa.int32()]
    columns = [pa.array([row[place] for row in rows], kind) for place, kind in enumerate(kinds)]
    return pa.RecordBatch.from_arrays(columns, names=[name, "kind", "key", "year"])
