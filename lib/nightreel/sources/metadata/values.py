"""The columns of a film that are one value each. Each function raises ValueError for what is no such value."""

from __future__ import annotations

import math
import re

_WHOLE = re.compile(r"([0-9]{1,18})(?:\.0+)?")
_DATE = re.compile(r"([0-9]{4})(?:-[0-9]{1,2}-[0-9]{1,2})?")
_IMDB_ID = re.compile(r"tt[0-9]{7,}")
_NO_OVERVIEW = re.compile(r"no (?:movie )?overview(?: found| yet| available)?\.?", re.IGNORECASE)


def whole_number(text: str) -> int:
    """862, also where it was kept as 862.0."""
    match = _WHOLE.fullmatch(text.strip())
    if match is None:
        raise ValueError(text)
    return int(match[1])


def number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def year(text: str) -> int:
    """Of a date such as 1995-10-30."""
    match = _DATE.fullmatch(text.strip())
    if match is None:
        raise ValueError(text)
    return int(match[1])


def imdb_id(text: str) -> str | None:
    """tt0114709; 0 is none."""
    if text.strip() == "0":
        return None
    if not _IMDB_ID.fullmatch(text.strip()):
        raise ValueError(text)
    return text.strip()


def title(text: str) -> str | None:
    """In one line."""
    return " ".join(text.split()) or None


def overview(text: str) -> str | None:
    """None also where it says that there is none."""
    stripped = text.strip()
    return None if _NO_OVERVIEW.fullmatch(stripped) else stripped or None
