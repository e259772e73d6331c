"""The titles file, `id,year,title`: unquoted, so that a title may hold commas, and in Latin-1 or UTF-8."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from nightreel.sources.lines.quarantine import BLANKS, BOM, Rejected, quarantined_text
from nightreel.sources.lines.segments import PADDING, Block
from nightreel.sources.netflix.grammar import LARGEST_ID

_LINE = re.compile(r"([0-9]{1,10}),([0-9]{4}|NULL),(.*\S.*)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


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


def parse_titles(blocks: Iterable[Block], *, max_line_bytes: int) -> Iterator[list[Title | Rejected]]:
    """The lines of each block, blank ones left out; the first of a movie's titles counts, later ones are rejected."""
    seen: set[int] = set()
    for block in blocks:
        position = block.position
        found: list[Title | Rejected] = []
        for line in block.data[PADDING:-1].split(b"\n"):
            if line.strip():
                parsed = TitleReason.TOO_LONG if len(line) > max_line_bytes else parse_title(line)
                if isinstance(parsed, Title) and parsed.item_id in seen:
                    parsed = TitleReason.REPEATED
                if isinstance(parsed, Title):
                    seen.add(parsed.item_id)
                    found.append(parsed)
                else:
                    found.append(Rejected(position, quarantined_text(line), parsed))
            position += len(line) + 1
        yield found


def _decoded(line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("latin-1")
