"""The titles file, `id,year,title`: unquoted, so that a title may hold commas, and in Latin-1 or UTF-8."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from nightreel.sources.netflix.lines import LARGEST_ID
from nightreel.sources.survey import BLANKS, BOM, Rejected, quarantined_text

_LINE = re.compile(r"([0-9]{1,10}),([0-9]{4}|NULL),(.*\S.*)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
"""Terminals obey these; those from 0x80 on are single bytes in Latin-1."""


class TitleReason(StrEnum):
    """Why a line of the titles file is quarantined."""

    FORM = "not id,year,title"
    BINARY = "bytes that are no plain text"
    ITEM_ID = f"movie id is not a whole number from 1 to {LARGEST_ID}"
    REPEATED = "movie id has a title already"
    TOO_LONG = "longer than ingest.max_line_bytes"


@dataclass(frozen=True, slots=True)
class Title:
    """A movie's title, and the year it came out where the file knows it."""

    item_id: int
    title: str
    year: int | None


def parse_title(line: bytes) -> Title | TitleReason:
    """One line without its line feed. Text that is no UTF-8 is Latin-1, as the Prize wrote it; a year may be NULL."""
    text = _decoded(line.removeprefix(BOM).rstrip(BLANKS))
    if _CONTROL.search(text):
        return TitleReason.BINARY
    match = _LINE.fullmatch(text)
    if match is None:
        return TitleReason.FORM
    item_id = int(match[1])
    if not 1 <= item_id <= LARGEST_ID:
        return TitleReason.ITEM_ID
    return Title(item_id, match[3].strip(), None if match[2] == "NULL" else int(match[2]))


def parse_titles(lines: Iterable[bytes], *, max_line_bytes: int) -> Iterator[Title | Rejected]:
    """The lines of a file, each with its line feed; the first of a movie's titles counts, later ones are rejected."""
    seen: set[int] = set()
    position = 0
    for line in lines:
        content = line.removesuffix(b"\n")
        if content.strip():
            parsed = TitleReason.TOO_LONG if len(content) > max_line_bytes else parse_title(content)
            if isinstance(parsed, Title) and parsed.item_id in seen:
                parsed = TitleReason.REPEATED
            if isinstance(parsed, Title):
                seen.add(parsed.item_id)
                yield parsed
            else:
                yield Rejected(position, quarantined_text(content), parsed)
        position += len(line)


def _decoded(line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("latin-1")
