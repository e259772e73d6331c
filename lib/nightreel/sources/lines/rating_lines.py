"""What a line of ratings is, line by line: the definition that the fast reader (`vector.py`) must equal."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import IO, Literal

from nightreel.sources.survey import BLANKS, BOM

LARGEST_ID = 2**63 - 1
FIRST_SECOND, LAST_SECOND = -62_135_596_800, 253_402_300_799
"""The years 1 to 9999, in seconds since 1970."""

CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_WHOLE = re.compile(rb"0*([0-9]{1,19})")
_NUMBER = re.compile(rb"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_SECONDS = re.compile(rb"-?0*[0-9]{1,12}")
_MOMENT = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
_DATE = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Reason(StrEnum):
    """Why a line is quarantined, whatever its format; the Prize's own reasons are in nightreel.sources.netflix."""

    FIELDS = "another number of fields than the file has"
    BINARY = "bytes that are no plain text"
    TOO_LONG = "longer than ingest.max_line_bytes"
    NO_USER = "no user id"
    NO_ITEM = "no item id"
    USER_ID = f"user id is not a whole number from 0 to {LARGEST_ID}"
    ITEM_ID = f"item id is not a whole number from 0 to {LARGEST_ID}"
    RATING = "rating is not a number"
    SCALE = "rating outside the scale"
    NO_HEADER = "before any header"
    REJECTED_HEADER = "under a rejected header"
    TIME = "time is neither seconds since 1970 nor YYYY-MM-DD hh:mm:ss"


@dataclass(frozen=True, slots=True)
class Entry:
    """A good line: a rating, or a pair to be predicted (without one).

    item_id : None where the header above names the item
    seconds : when it was rated, since 1970, UTC
    """

    user_id: int
    item_id: int | None
    rating: float | None
    seconds: int | None


BEFORE_ANY_HEADER, UNDER_REJECTED_HEADER = 0, -1
"""The item of lines that no header gives one."""


@dataclass(frozen=True, slots=True)
class Header:
    """A line that names the item of the lines below it; UNDER_REJECTED_HEADER where it is rejected for the reason."""

    item_id: int
    rejected: StrEnum | None = None


Parsed = Entry | Header | StrEnum
"""A StrEnum is the reason for which the line is rejected."""

Column = Literal["user", "item", "rating", "time", "date"]


class LineFormat(ABC):
    """How the lines of a file are ratings. `parse` defines it; all else lets `vector.py` read most lines faster."""

    separator: str
    """What stands between two fields."""
    header: bool
    """The file's first line names the fields."""
    id_limits: tuple[int, int]
    """The least and the largest id."""
    lowest: float
    highest: float
    """Of ratings, both ends included."""
    dictionary_columns: tuple[str, ...]
    """The columns of bronze_ratings worth a dictionary in Parquet, in the order in which files of the format are."""

    @abstractmethod
    def parse(self, content: bytes) -> Parsed:
        """A line without its end and without blanks there; not empty."""

    @property
    @abstractmethod
    def columns(self) -> tuple[Column | None, ...]:
        """What each field is (None: read over); empty where lines have different numbers of fields."""

    @property
    @abstractmethod
    def pattern(self) -> str:
        """A regular expression with groups user, item, rating, time, date, for lines with their line feed. `parse`
        accepts what it matches where the numbers are within the limits, and may accept more."""

    def item_above(self, stream: IO[bytes], position: int, *, chunk_bytes: int, max_line_bytes: int) -> int:  # noqa: ARG002
        """The item that a line starting at `position` falls under, where headers name items."""
        return BEFORE_ANY_HEADER


def parse_line(line: bytes, lines: LineFormat, *, position: int, max_line_bytes: int) -> Parsed | None:
    """One line without its line feed; `position` is its offset in the file. None: the line is blank, or names fields.

    A byte order mark at position 0 is no part of the line, nor are blanks and carriage returns at its end, where they
    do not separate fields. The length is that of the bytes before the line feed.
    """
    if position == 0 and lines.header:
        return None
    if len(line) > max_line_bytes:
        return Reason.TOO_LONG
    blanks = BLANKS.replace(lines.separator.encode(), b"")
    content = (line.removeprefix(BOM) if position == 0 else line).rstrip(blanks)
    return lines.parse(content) if content else None


@dataclass(frozen=True)
class RatingLines(LineFormat):
    """A rating a line, as MovieLens and KMRD have them. Places count from 0.

    Blanks around a field, and then a pair of double quotes, are no part of it; no field holds the separator.
    """

    separator: str
    """`,`, a tab or `::`."""
    fields: int
    """How many fields a line has; one with more or fewer is rejected."""
    user: int
    item: int
    rating: int
    time: int | None
    """Seconds since 1970, or YYYY-MM-DD hh:mm:ss in UTC; empty, and None, is no time."""
    header: bool
    lowest: float
    highest: float

    id_limits = (0, LARGEST_ID)
    dictionary_columns = ("user_id", "item_id", "rating", "file_id")

    @property
    def columns(self) -> tuple[Column | None, ...]:
        places: dict[int | None, Column] = {self.user: "user", self.item: "item", self.rating: "rating"}
        places[self.time] = "time"
        return tuple(places.get(place) for place in range(self.fields))

    @property
    def pattern(self) -> str:
        blank = " " if self.separator == "\t" else " \t"
        values = {"user": ID_PATTERN, "item": ID_PATTERN, "rating": NUMBER_PATTERN, "time": _TIME_PATTERN}
        fields = [
            rf"[^{self.separator}\x00-\x1f\x7f]*"
            if column is None
            else rf'[{blank}]*(?P<{column}>"{values[column]}"|{values[column]})[{blank}]*'
            for column in self.columns
        ]
        return rf"^{self.separator.join(fields)}[{blank}\r]*\n$"

    def parse(self, content: bytes) -> Entry | Reason:
        if CONTROL.search(content):
            return Reason.BINARY
        fields = [unquoted(field.strip(BLANKS)) for field in content.split(self.separator.encode())]
        if len(fields) != self.fields:
            return Reason.FIELDS
        user, item = fields[self.user], fields[self.item]
        if not user or not item:
            return Reason.NO_ITEM if user else Reason.NO_USER
        user_id, item_id = whole_number(user, self.id_limits), whole_number(item, self.id_limits)
        if user_id is None or item_id is None:
            return Reason.USER_ID if user_id is None else Reason.ITEM_ID
        rating = rating_within(fields[self.rating], self)
        if isinstance(rating, Reason):
            return rating
        time = b"" if self.time is None else fields[self.time]
        seconds = seconds_of(time) if time else None
        return Reason.TIME if time and seconds is None else Entry(user_id, item_id, rating, seconds)


LINE_END = "[ \t\r]*\n$"
ID_PATTERN = "[0-9]{1,18}"
NUMBER_PATTERN = r"[0-9]{1,9}(?:\.[0-9]{1,9})?"
DATE_PATTERN = (
    "[12][0-9]{3}-(?:02-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:0[1-9]|[12][0-9]|30)|(?:0[13578]|1[02])-31)"
)
"""The usual forms of values, for `LineFormat.pattern`; all others are left to `LineFormat.parse`."""
_TIME_PATTERN = rf"(?:-?[0-9]{{1,11}}|{DATE_PATTERN} (?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9])?"


def unquoted(field: bytes) -> bytes:
    return field[1:-1] if len(field) > 1 and field[:1] == field[-1:] == b'"' else field


def whole_number(text: bytes, limits: tuple[int, int]) -> int | None:
    """Digits as a number within the limits; None where they are none."""
    match = _WHOLE.fullmatch(text)
    return int(match[1]) if match and limits[0] <= int(match[1]) <= limits[1] else None


def rating_within(text: bytes, lines: LineFormat) -> float | Reason:
    if not _NUMBER.fullmatch(text):
        return Reason.RATING
    return float(text) if lines.lowest <= float(text) <= lines.highest else Reason.SCALE


def seconds_of(text: bytes) -> int | None:
    """Seconds since 1970 of such a number or of YYYY-MM-DD hh:mm:ss in UTC; None: it is neither, or outside the years
    1 to 9999."""
    if _SECONDS.fullmatch(text):
        return int(text) if FIRST_SECOND <= int(text) <= LAST_SECOND else None
    return calendar_seconds(text, _MOMENT)


def calendar_seconds(text: bytes, form: re.Pattern[bytes] = _DATE) -> int | None:
    """Seconds since 1970 in UTC at the beginning of YYYY-MM-DD; None: the text has another form, or is no such day."""
    if not form.fullmatch(text):
        return None
    try:
        return int(datetime.fromisoformat(text.decode("ascii")).replace(tzinfo=UTC).timestamp())
    except ValueError:
        return None
