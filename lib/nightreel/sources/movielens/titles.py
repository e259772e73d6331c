"""MovieLens' titles, which end in the year: `Matrix, The (1999)`."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from nightreel.sources.records.judging import text_or_null

_YEAR = r"(18|19|20)[0-9]{2}"
_SINCE = rf"\s*\(\s*({_YEAR})(\s*[-–—]\s*({_YEAR})?)?\s*\)+"
_ENDING = rf"{_SINCE}(\s*\((V|TV)\))?\s*$"
"""`(1995)`, `(2006–2007)`, `(2007-)`; in 100K `(V)` may follow, of films that went straight to video."""


def year_in(title: str | Column) -> Column:
    """The year that the title ends in, the first of two; null where it ends in none."""
    return F.nullif(F.regexp_extract(title, _ENDING, 1), F.lit("")).cast("int")


def without_year(title: str | Column) -> Column:
    """The title up to the year that it ends in, or whole where it is but a year; null where it is empty."""
    return F.coalesce(text_or_null(F.regexp_replace(title, _ENDING, "")), text_or_null(title))
