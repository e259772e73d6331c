"""What a line of the Netflix Prize's dump is: headers `movie_id:`, and under each the rows of that movie."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import IO, Literal

from nightreel.sources.lines.rating_lines import (
    BEFORE_ANY_HEADER,
    CONTROL,
    DATE_PATTERN,
    ID_PATTERN,
    LINE_END,
    NUMBER_PATTERN,
    UNDER_REJECTED_HEADER,
    Column,
    Entry,
    Header,
    LineFormat,
    Parsed,
    Reason,
    calendar_seconds,
    parse_line,
    rating_within,
    whole_number,
)
from nightreel.sources.lines.segments import AT_A_TIME

LARGEST_ID = 2_147_483_647

_HEADER_END = re.compile(rb":[ \t\r]*\n")


class DumpReason(StrEnum):
    """Why a line of the dump is quarantined, beside nightreel.sources.lines.rating_lines.Reason."""

    FORM = "neither a header nor a row of this file"
    ITEM_ID = f"header whose id is not a whole number from 1 to {LARGEST_ID}"
    USER_ID = f"user id is not a whole number from 1 to {LARGEST_ID}"
    DATE = "not a calendar date YYYY-MM-DD"


@dataclass(frozen=True)
class DumpLines(LineFormat):
    """A header is the movie of the rows below it.

    rows : ratings: `user,rating,YYYY-MM-DD`. pairs: `user` (probe.txt) or `user,YYYY-MM-DD` (qualifying.txt)
    lowest, highest : the scale, both ends included
    """

    rows: Literal["ratings", "pairs"]
    lowest: float = 0.0
    highest: float = 0.0

    separator = ","
    header = False
    id_limits = (1, LARGEST_ID)
    dictionary_columns = ("item_id", "rating", "rated_at", "file_id")

    @property
    def columns(self) -> tuple[Column | None, ...]:
        return ("user", "rating", "date") if self.rows == "ratings" else ()

    @property
    def pattern(self) -> str:
        user, date = f"(?P<user>{ID_PATTERN})", f",(?P<date>{DATE_PATTERN})"
        row = f"{user},(?P<rating>{NUMBER_PATTERN}){date}" if self.rows == "ratings" else f"{user}(?:{date})?"
        return f"^{row}{LINE_END}"

    def parse(self, content: bytes) -> Parsed:
        if content.endswith(b":"):
            item_id = whole_number(content[:-1], self.id_limits)
            return Header(UNDER_REJECTED_HEADER, DumpReason.ITEM_ID) if item_id is None else Header(item_id)
        if CONTROL.search(content):
            return Reason.BINARY
        user, *others = content.split(b",")
        if len(others) not in ((2,) if self.rows == "ratings" else (0, 1)):
            return DumpReason.FORM
        user_id = whole_number(user, self.id_limits)
        if user_id is None:
            return DumpReason.USER_ID
        rating = rating_within(others[0], self) if self.rows == "ratings" else None
        if isinstance(rating, Reason):
            return rating
        seconds = calendar_seconds(others[-1]) if others else None
        return DumpReason.DATE if others and seconds is None else Entry(user_id, None, rating, seconds)

    def item_above(self, stream: IO[bytes], position: int, *, chunk_bytes: int, max_line_bytes: int) -> int:
        """Found by reading backwards."""
        end = position
        while end > 0:
            begin = max(0, end - min(chunk_bytes, AT_A_TIME))
            window_begin = max(0, begin - max_line_bytes - 1)
            stream.seek(window_begin)
            window = stream.read(end - window_begin)
            for match in reversed(list(_HEADER_END.finditer(window))):
                start = window.rfind(b"\n", 0, match.end() - 1) + 1
                if start == 0 and window_begin > 0:
                    continue  # a line that is too long for a header
                line, at = window[start : match.end() - 1], window_begin + start
                header = parse_line(line, self, position=at, max_line_bytes=max_line_bytes)
                if isinstance(header, Header):
                    return header.item_id
            end = begin
        return BEFORE_ANY_HEADER
