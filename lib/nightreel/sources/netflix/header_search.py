"""The movie that a line in the midst of a file falls under."""

from __future__ import annotations

import re
from typing import IO

from nightreel.sources.lines.segments import AT_A_TIME
from nightreel.sources.netflix.grammar import BEFORE_ANY_HEADER, UNDER_REJECTED_HEADER, Grammar, Header

_HEADER_END = re.compile(rb":[ \t\r]*\n")


def item_at(stream: IO[bytes], position: int, grammar: Grammar, *, chunk_bytes: int) -> int:
    """The movie that a line starting at `position` falls under, found by reading backwards."""
    end = position
    while end > 0:
        begin = max(0, end - min(chunk_bytes, AT_A_TIME))
        window_begin = max(0, begin - grammar.max_line_bytes - 1)
        stream.seek(window_begin)
        window = stream.read(end - window_begin)
        for match in reversed(list(_HEADER_END.finditer(window))):
            item_id = _header(window, window_begin, match.end() - 1, grammar)
            if item_id is not None:
                return item_id
        end = begin
    return BEFORE_ANY_HEADER


def _header(window: bytes, window_begin: int, feed: int, grammar: Grammar) -> int | None:
    """What a header whose line feed is at window[feed] begins; None where the line is too long for one."""
    start = window.rfind(b"\n", 0, feed) + 1
    if start == 0 and window_begin > 0:
        return None
    line = window[start:feed]
    if len(line) > grammar.max_line_bytes:
        return None
    parsed = grammar.parse(line, position=window_begin + start)
    return parsed.item_id if isinstance(parsed, Header) else UNDER_REJECTED_HEADER
