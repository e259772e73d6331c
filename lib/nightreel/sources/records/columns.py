"""Which of a file's columns are read: by the header's names, or by place where there is no header."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import IO

from nightreel.sources.records.dialect import Dialect
from nightreel.sources.records.parse import Record, RecordReason, parse_records
from nightreel.sources.survey import Rejected, quarantined_text


@dataclass(frozen=True)
class Columns:
    """The columns to read, in the order they are wanted.

    names : with a header the names that it must hold, in whatever order; else all of a record's fields
    optional : those of them that a header may lack; they are then null
    """

    names: Sequence[str]
    optional: Collection[str] = ()

    def places(self, header: Sequence[str]) -> list[int | None] | None:
        """Where each column stands, the first of several with its name; None: the header lacks one it must have."""
        known = {name: place for place, name in reversed(list(enumerate(header)))}
        if any(name not in known for name in self.names if name not in self.optional):
            return None
        return [known.get(name) for name in self.names]


@dataclass(frozen=True, slots=True)
class Row:
    """A good record's columns, and as much of its text as quarantine shows."""

    position: int
    line: str
    values: Sequence[str | None]


def read_columns(
    stream: IO[bytes], dialect: Dialect, columns: Columns, *, max_record_bytes: int
) -> Iterator[Row | Rejected]:
    """The columns of an unpacked file's records, and its bad records (see `parse_records`).

    A header without the columns is rejected, and so is what stands below it.
    """
    width = None if dialect.header else len(columns.names)
    records = parse_records(stream, dialect, width=width, max_record_bytes=max_record_bytes)
    places: list[int | None] | None = list(range(len(columns.names)))
    if dialect.header:
        header = next(records, None)
        if header is None:
            return
        places = columns.places(header_names(header))
        if places is None:
            yield _rejected(header, RecordReason.HEADER)
    for record in records:
        if isinstance(record, Rejected):
            yield record
        elif places is None:
            yield _rejected(record, RecordReason.NO_HEADER)
        else:
            values = [None if place is None else record.fields[place] for place in places]
            yield Row(record.position, _shown(record), values)


def header_names(header: Record | Rejected) -> tuple[str, ...]:
    """The names in a file's first record, without blanks around them; none where it is bad."""
    return tuple(name.strip() for name in header.fields) if isinstance(header, Record) else ()


def _rejected(record: Record | Rejected, reason: RecordReason) -> Rejected:
    return record if isinstance(record, Rejected) else Rejected(record.position, _shown(record), reason)


def _shown(record: Record) -> str:
    return quarantined_text(record.data.rstrip(b"\r\n"))
