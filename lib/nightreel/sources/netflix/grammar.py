"""What a line of the Netflix Prize's dump is: the definition, one line at a time, that the fast reader must equal."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Literal

from nightreel.sources.lines.quarantine import BLANKS, BOM

LARGEST_ID = 2_147_483_647

BEFORE_ANY_HEADER = 0
UNDER_REJECTED_HEADER = -1

_EPOCH = date(1970, 1, 1).toordinal()
_ID = re.compile(rb"[0-9]{1,10}")
_NUMBER = re.compile(rb"-?[0-9]+(\.[0-9]+)?")
_DATE = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TEXT = re.compile(rb"[ -~]*")


class Reason(StrEnum):
    """Why a line is quarantined."""

    FORM = "neither a header nor a row of this file"
    BINARY = "bytes that are no plain text"
    TOO_LONG = "longer than ingest.max_line_bytes"
    ITEM_ID = f"header whose id is not a whole number from 1 to {LARGEST_ID}"
    USER_ID = f"user id is not a whole number from 1 to {LARGEST_ID}"
    RATING = "rating is not a number"
    SCALE = "rating outside the scale"
    DATE = "not a calendar date YYYY-MM-DD"
    NO_HEADER = "before any header"
    REJECTED_HEADER = "under a rejected header"


@dataclass(frozen=True, slots=True)
class Header:
    """`movie_id:`, the movie of the rows below it."""

    item_id: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A row under a header: a rating, or a pair to be predicted (no rating, perhaps a date)."""

    user_id: int
    rating: float | None
    day: date | None


@dataclass(frozen=True, slots=True)
class Reject:
    """A line that is none of these."""

    reason: Reason


@dataclass(frozen=True)
class Grammar:
    """Which rows a file holds.

    ratings: `user,rating,YYYY-MM-DD`. pairs: `user` (probe.txt) or `user,YYYY-MM-DD` (qualifying.txt).
    The scale bounds ratings, both ends included; lengths count the bytes before the line feed.
    """

    rows: Literal["ratings", "pairs"]
    lowest: float
    highest: float
    max_line_bytes: int

    def parse(self, line: bytes, *, position: int) -> Header | Entry | Reject | None:
        """One line without its line feed; `position` is its offset in the file. None: the line is blank.

        Blanks and carriage returns at the line's end are no part of it, nor is a byte order mark at position 0.
        """
        if len(line) > self.max_line_bytes:
            return Reject(Reason.TOO_LONG)
        content = (line.removeprefix(BOM) if position == 0 else line).rstrip(BLANKS)
        if not content:
            return None
        if content.endswith(b":"):
            item_id = _whole_number(content[:-1])
            return Reject(Reason.ITEM_ID) if item_id is None else Header(item_id)
        if not _TEXT.fullmatch(content):
            return Reject(Reason.BINARY)
        fields = content.split(b",")
        return self._rating(fields) if self.rows == "ratings" else _pair(fields)

    def _rating(self, fields: list[bytes]) -> Entry | Reject:
        if len(fields) != 3:
            return Reject(Reason.FORM)
        user_id = _whole_number(fields[0])
        if user_id is None:
            return Reject(Reason.USER_ID)
        if not _NUMBER.fullmatch(fields[1]):
            return Reject(Reason.RATING)
        rating = float(fields[1])
        if not self.lowest <= rating <= self.highest:
            return Reject(Reason.SCALE)
        day = _day(fields[2])
        return Reject(Reason.DATE) if day is None else Entry(user_id, rating, day)


def days(day: date) -> int:
    """Days since 1970."""
    return day.toordinal() - _EPOCH


def _pair(fields: list[bytes]) -> Entry | Reject:
    if len(fields) > 2:
        return Reject(Reason.FORM)
    user_id = _whole_number(fields[0])
    if user_id is None:
        return Reject(Reason.USER_ID)
    if len(fields) == 1:
        return Entry(user_id, None, None)
    day = _day(fields[1])
    return Reject(Reason.DATE) if day is None else Entry(user_id, None, day)


def _whole_number(text: bytes) -> int | None:
    value = int(text) if _ID.fullmatch(text) else 0
    return value if 1 <= value <= LARGEST_ID else None


def _day(text: bytes) -> date | None:
    if not _DATE.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text.decode("ascii"))
    except ValueError:
        return None
