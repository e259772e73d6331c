"""The forms of all titles, computed in Python tasks."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from nightreel.prepare.matching.title_form import title_form
from nightreel.prepare.matching.title_names import names

_COLUMNS = ("kind", "form", "year")


class Kind(StrEnum):
    """What a form is the form of."""

    TITLE = "title"
    EDITION = "edition"
    """The film of which the title names an edition."""
    OTHER = "other"
    """A name in brackets, or the title in another language."""


def forms_of(rows: DataFrame, *, key: str, other_title: str, other_year: Column) -> DataFrame:
    """Every form under which a row may be found.

    Parameters
    ----------
    rows : grain of `key`; columns key, title, other_title and year, all but the key nullable
    key : the column that names a row
    other_title : the column of the title in another language
    other_year : the year that belongs to it

    Returns
    -------
    grain key x kind x form; columns key, kind string (a Kind), form string (see title_form), year int (nullable)
    """
    asked = rows.select(key, "title", "year", F.col(other_title).alias("other_title"), other_year.alias("other_year"))
    kind = dict(asked.dtypes)[key]
    found = asked.mapInArrow(_forms, f"{key} {kind}, kind string, form string, year int")
    return found.select(key, *_COLUMNS)


def title_forms(title: str | None, other_title: str | None) -> Iterator[tuple[Kind, str, bool]]:
    """Kind and form of each name, each once, and whether it is the other title's."""
    found = dict[tuple[Kind, str], bool]()
    for text, is_other in ((title, False), (other_title, True)):
        named = names(text or "")
        kind = Kind.OTHER if is_other else Kind.EDITION if named.edition else Kind.TITLE
        for each, name in [(kind, named.film), *((Kind.OTHER, other) for other in named.others)]:
            found.setdefault((each, title_form(name)), is_other)
    return ((kind, form, is_other) for (kind, form), is_other in found.items() if form)


def _forms(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        keys, titles, years, other_titles, other_years = (column.to_pylist() for column in batch.columns)
        rows = [
            (key, kind.value, form, other_year if is_other else year)
            for key, title, year, other_title, other_year in zip(
                keys, titles, years, other_titles, other_years, strict=True
            )
            for kind, form, is_other in title_forms(title, other_title)
        ]
        kinds = [batch.schema.field(0).type, pa.string(), pa.string(), pa.int32()]
        columns = [pa.array([row[place] for row in rows], kind) for place, kind in enumerate(kinds)]
        yield pa.RecordBatch.from_arrays(columns, names=[batch.schema.field(0).name, *_COLUMNS])
