"""The values of a line of ratings, and what is wrong with those that are none."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from nightreel.sources.delimited import times
from nightreel.sources.delimited.rating_lines import SMALLEST_WEIGHT, RatingLines
from nightreel.sources.lines.quarantine import BLANKS

LARGEST_ID = 2**63 - 1

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_WHOLE = re.compile(rb"[0-9]+")
_NUMBER = re.compile(rb"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


class Reason(StrEnum):
    """Why a line is quarantined."""

    FIELDS = "another number of fields than the file has"
    QUOTES = "a quote that is not closed, or is closed within a field"
    JSON = "not a JSON object"
    BINARY = "bytes that are no plain text"
    TOO_LONG = "longer than ingest.max_line_bytes"
    NO_USER = "no user id"
    NO_ITEM = "no item id"
    USER_NUMBER = f"user id is not a whole number from 0 to {LARGEST_ID}"
    ITEM_NUMBER = f"item id is not a whole number from 0 to {LARGEST_ID}"
    USER_TEXT = "user id is no UTF-8 text of one line"
    ITEM_TEXT = "item id is no UTF-8 text of one line"
    RATING = "rating is not a number"
    SCALE = "rating outside the scale"
    WEIGHT = "weight is not above 0"
    TIME = "time is neither seconds since 1970 nor an ISO 8601 date or time"


@dataclass(frozen=True, slots=True)
class Entry:
    """A rating; its time in microseconds since 1970."""

    user_id: int | str
    item_id: int | str
    rating: float
    micros: int | None


def entry(fields: Sequence[bytes], form: RatingLines) -> Entry | Reason:
    """The rating in a line's fields, or the first thing wrong with it. Blanks around a field are no part of it."""
    user, item = fields[form.user].strip(BLANKS), fields[form.item].strip(BLANKS)
    if not user or not item:
        return Reason.NO_ITEM if user else Reason.NO_USER
    read_id, user_reason, item_reason = _ID_READERS[form.ids]
    user_id, item_id = read_id(user), read_id(item)
    if user_id is None or item_id is None:
        return user_reason if user_id is None else item_reason
    rating = 1.0 if form.rating is None else _rating(fields[form.rating].strip(BLANKS), form)
    if isinstance(rating, Reason):
        return rating
    when = b"" if form.time is None else fields[form.time].strip(BLANKS)
    micros = times.micros(when.decode("ascii", "replace"))
    return Reason.TIME if when and micros is None else Entry(user_id, item_id, rating, micros)


def _number_id(text: bytes) -> int | None:
    if not _WHOLE.fullmatch(text) or len(text.lstrip(b"0")) > len(str(LARGEST_ID)):
        return None
    value = int(text.lstrip(b"0") or b"0")
    return value if value <= LARGEST_ID else None


def _text_id(field: bytes) -> str | None:
    try:
        text = field.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if _CONTROL.search(text) else text


_ID_READERS: Mapping[str, tuple[Callable[[bytes], int | str | None], Reason, Reason]] = {
    "bigint": (_number_id, Reason.USER_NUMBER, Reason.ITEM_NUMBER),
    "string": (_text_id, Reason.USER_TEXT, Reason.ITEM_TEXT),
}


def _rating(text: bytes, form: RatingLines) -> float | Reason:
    if not _NUMBER.fullmatch(text):
        return Reason.RATING
    value = float(text)
    lowest, highest = form.bounds
    if lowest <= value <= highest:
        return value
    return Reason.WEIGHT if form.above_zero and value < SMALLEST_WEIGHT else Reason.SCALE
