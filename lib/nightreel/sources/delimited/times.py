"""When something was rated, as text tells it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

FIRST_MICROS = -62_135_596_800_000_000
LAST_MICROS = 253_402_300_799_999_999
"""The years 1 to 9999, in microseconds since 1970."""
MILLISECONDS_FROM = 100_000_000_000
"""A number of this size, and a larger one, counts milliseconds: 1973 in these, the year 5138 in seconds."""

ISO_8601 = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}(:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?)?"
)
"""The forms of dates and times that are read."""

_NUMBER = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?")
_ISO = re.compile(ISO_8601)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MOST_DIGITS = len(str(LAST_MICROS))


def micros(text: str) -> int | None:
    """Microseconds since 1970, of seconds or milliseconds since then (see MILLISECONDS_FROM) or of an ISO 8601 time.

    A time without an offset is UTC. None: the text is no time, or lies outside the years 1 to 9999.
    """
    number = _NUMBER.fullmatch(text)
    value = _counted(*number.groups("")) if number else _iso(text) if _ISO.fullmatch(text) else None
    return value if value is not None and FIRST_MICROS <= value <= LAST_MICROS else None


def _counted(sign: str, whole: str, fraction: str) -> int | None:
    digits = whole.lstrip("0")
    if len(digits) > _MOST_DIGITS:
        return None
    count = int(digits or "0")
    places = 6 if count < MILLISECONDS_FROM else 3
    value: int = count * 10**places + int(fraction[:places].ljust(places, "0"))
    return -value if sign else value


def _iso(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    since: timedelta = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
    return int(since // _MICROSECOND)
