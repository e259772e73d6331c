"""The six years in which everything is rated, those of the Netflix Prize."""

from __future__ import annotations

from datetime import date

FIRST_DAY = date(1999, 11, 11)
LAST_DAY = date(2005, 12, 31)
DAYS = (LAST_DAY - FIRST_DAY).days + 1
"""Days are counted from FIRST_DAY: 0 to DAYS - 1."""

SECONDS_A_DAY = 86_400
FIRST_SECOND = (FIRST_DAY - date(1970, 1, 1)).days * SECONDS_A_DAY
LAST_SECOND = FIRST_SECOND + DAYS * SECONDS_A_DAY - 1
"""Since 1970, UTC."""


def opening_day(year: int) -> int:
    """The first day on which anyone may have rated a film of the year; 0 where the year is unknown (0)."""
    return max(0, (date(year, 1, 1) - FIRST_DAY).days) if year else 0
