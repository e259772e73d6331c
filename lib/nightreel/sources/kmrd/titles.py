"""KMRD's other titles, which end in the year: `Cinema Paradiso , 1988`, or are but the year."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from nightreel.sources.records.judging import text_or_null

_YEAR = r"(^|,)\s*((18|19|20)[0-9]{2})\s*$"


def other_title(text: str | Column) -> Column:
    """What stands before the year; null where that is nothing."""
    return text_or_null(F.regexp_replace(text, _YEAR, ""))


def other_year(text: str | Column) -> Column:
    """The year at the end; null where there is none."""
    return F.nullif(F.regexp_extract(text, _YEAR, 2), F.lit("")).cast("int")
