"""Lines to records: the fields of good ones, the lines of bad ones, and what keeps a stray quote from eating others."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import IO

from nightreel.sources.records.dialect import Dialect
from nightreel.sources.records.taking import Line, Lines
from nightreel.sources.survey import BOM, Rejected, quarantined_text


class RecordReason(StrEnum):
    """Why a record, or its first line, is quarantined."""

    FIELDS = "not as many fields as the file's other records"
    QUOTE = "opens a quote that does not close where a record of this file could end"
    BINARY = "bytes that are no plain text"
    TOO_LONG = "longer than a record may be"
    HEADER = "a header without the columns that are read"
    NO_HEADER = "below a rejected header"


@dataclass(frozen=True, slots=True)
class Record:
    """A good record: the offset of its first byte in the unpacked file, its bytes and its fields."""

    position: int
    data: bytes
    fields: Sequence[str]


def parse_records(
    stream: IO[bytes], dialect: Dialect, *, width: int | None, max_record_bytes: int
) -> Iterator[Record | Rejected]:
    """An unpacked file's records in their order, those that are bad included, blank lines left out.

    A record that takes several lines must be quoted without fault. Where it is not, or has a wrong number of fields
    or is too long, only its first line is rejected and the second begins the next record. A record in one line is as
    the csv module reads it; but a carriage return outside quotes ends a record only before a line feed.

    Parameters
    ----------
    width : how many fields a record has; None: as many as the first good one
    max_record_bytes : longer records are rejected; the most that is held in memory
    """
    csv.field_size_limit(max(csv.field_size_limit(), max_record_bytes))  # the module's own bound, of a process
    lines = Lines(stream, max_bytes=max_record_bytes)
    while line := lines.take():
        if line.position == 0:
            line = Line(0, line.data.removeprefix(BOM))
        if _is_blank(line.data, dialect.separator):
            continue
        parsed = _parse(line, lines, dialect, width=width, max_bytes=max_record_bytes)
        if width is None and isinstance(parsed, Record):
            width = len(parsed.fields)
        yield parsed


def _is_blank(line: bytes, separator: str) -> bool:
    return not line.strip() and (not separator.isspace() or separator.encode() not in line)


def _parse(first: Line, lines: Lines, dialect: Dialect, *, width: int | None, max_bytes: int) -> Record | Rejected:
    """The record that begins with this line; what it needs of the others is taken."""
    if len(first.data) > max_bytes:
        return _rejected(first, RecordReason.TOO_LONG)
    try:
        text = _text(first, dialect)
    except ValueError:
        return _rejected(first, RecordReason.BINARY)
    if not dialect.quoted or '"' not in text:
        record = Record(first.position, first.data, text.rstrip("\r\n").split(dialect.separator))
    else:
        found = _quoted(first, lines, dialect, width, max_bytes) or _loosely_quoted(first, text, dialect)
        if found is None:
            return _rejected(first, RecordReason.QUOTE)
        record = found
    return record if width in {None, len(record.fields)} else _rejected(first, RecordReason.FIELDS)


def _quoted(first: Line, lines: Lines, dialect: Dialect, width: int | None, max_bytes: int) -> Record | None:
    """The record quoted without fault that begins with this line and may go on in others; else they are given back."""
    taken: list[Line] = []

    def texts() -> Iterator[str]:
        yield _text(first, dialect)
        size = len(first.data)
        while line := lines.take():
            taken.append(line)
            size += len(line.data)
            if size > max_bytes:
                return
            yield _text(line, dialect)

    try:
        fields = next(csv.reader(texts(), delimiter=dialect.separator, strict=True))
    except (csv.Error, ValueError):
        fields = []
    if not fields or (taken and width not in {None, len(fields)}):
        lines.give_back(taken)
        return None
    return Record(first.position, b"".join((first.data, *(line.data for line in taken))), fields)


def _loosely_quoted(line: Line, text: str, dialect: Dialect) -> Record | None:
    """The record of this line alone, with quotes as loose as the csv module lets them be."""
    reader = csv.reader([text.rstrip("\r\n").replace("\r", " "), ""], delimiter=dialect.separator)
    try:
        fields = next(reader)
    except csv.Error:
        return None
    return Record(line.position, line.data, fields) if reader.line_num == 1 else None


def _text(line: Line, dialect: Dialect) -> str:
    """Raises ValueError where the line is no text of the dialect's encoding."""
    if b"\0" in line.data:
        raise ValueError("zero bytes")
    return dialect.decode(line.data)


def _rejected(line: Line, reason: RecordReason) -> Rejected:
    return Rejected(line.position, quarantined_text(line.data.rstrip(b"\r\n")), reason)
