"""Many lines at once, by Arrow: the definition in `rating_lines.py`, on blocks of whole lines.

Where a block holds but the bytes of plain numbers and dates, Arrow's CSV reader reads it; one regular expression reads
a block that it refuses; what is left goes through the definition line by line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv

from nightreel.sources.lines.rating_lines import (
    FIRST_SECOND,
    LAST_SECOND,
    UNDER_REJECTED_HEADER,
    Entry,
    Header,
    LineFormat,
    Reason,
    parse_line,
)
from nightreel.sources.lines.segments import Block
from nightreel.sources.survey import Rejected, quarantined_text

COLUMN_TYPES = {
    "user_id": pa.int64(),
    "item_id": pa.int64(),
    "rating": pa.float32(),
    "rated_at": pa.timestamp("us", tz="UTC"),
    "file_id": pa.int32(),
    "position": pa.int64(),
}
"""The columns of good lines; `position` is the offset of the line's first byte."""

_CSV_TYPES = {  # uint64, as Arrow takes -0 for an int64
    "user": pa.uint64(),
    "item": pa.uint64(),
    "rating": pa.float64(),
    "time": pa.int64(),
    "date": pa.date32(),
}
_PLAIN_BYTES = b"0123456789.-:\r\n"
_SECONDS_PER_DAY = 86_400
_NO_TIME = np.iinfo(np.int64).min
_MOMENT_CHARACTERS = len("2005-04-02 23:53:47")

Longs = NDArray[np.int64]
Mask = NDArray[np.bool_]
Columns = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class ParsedLines:
    """Some lines of a file: the good ones as columns, one entry a line in file order, and those rejected.

    columns : user_id, item_id int64; rating float64 (NaN in pairs to be predicted); seconds int64, since 1970
        (_NO_TIME where the line has no time); position int64, offset of the line's first byte
    item_below : what the line after these falls under, where headers name items
    """

    columns: Columns
    rejected: list[Rejected]
    item_below: int

    def __len__(self) -> int:
        return len(self.columns["user_id"])

    def batch(self, file_id: int, schema: pa.Schema) -> pa.RecordBatch:
        """The good lines with the schema's columns, of COLUMN_TYPES."""
        seconds = self.columns["seconds"]
        arrays = {
            **self.columns,
            "file_id": np.full(len(self), file_id, np.int32),
            "rating": self.columns["rating"].astype(np.float32),
            "rated_at": pa.array(seconds * 1_000_000, mask=seconds == _NO_TIME).view(COLUMN_TYPES["rated_at"]),
        }
        return pa.record_batch([pa.array(arrays[name]) for name in schema.names], schema=schema)


def parse_block(block: Block, lines: LineFormat, *, item_above: int, max_line_bytes: int) -> ParsedLines:
    """The lines of a block; `item_above` is what the first falls under (see LineFormat.item_above)."""
    data = block.data
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n"))
    starts = np.append(0, ends[:-1] + 1)
    begin = 1 if block.position == 0 else 0  # a file's first line may hold a byte order mark, or name the fields
    shift = int(ends[0]) + 1 if begin else 0
    columns, numbers, good = _by_arrow(data[shift:], starts[begin:] - shift, lines)
    numbers += begin
    good &= (ends - starts)[numbers] <= max_line_bytes
    if not good.all():
        columns, numbers = _where(good, columns, numbers)
    entries: dict[int, Entry] = {}
    items = {0: item_above}
    rejected: dict[int, StrEnum] = {}
    for line in np.delete(np.arange(len(ends)), numbers).tolist():
        start, end = int(starts[line]), int(ends[line])
        match parse_line(data[start:end], lines, position=block.position + start, max_line_bytes=max_line_bytes):
            case Entry() as entry:
                entries[line] = entry
            case Header(item_id, reason):
                items[line] = item_id
                rejected |= {line: reason} if reason else {}
            case StrEnum() as reason:
                rejected[line] = reason
    if entries:
        columns, numbers = _with_entries(columns, numbers, entries)
    if "item" not in lines.columns:
        item_of_line = np.repeat([*items.values()], np.diff([*items, len(ends)]))
        columns["item_id"] = item_of_line[numbers]
        has_item = columns["item_id"] > 0
        if not has_item.all():
            for line in numbers[~has_item].tolist():
                bad_header = item_of_line[line] == UNDER_REJECTED_HEADER
                rejected[line] = Reason.REJECTED_HEADER if bad_header else Reason.NO_HEADER
            columns, numbers = _where(has_item, columns, numbers)
    columns["position"] = starts[numbers] + block.position
    quarantined = [
        Rejected(block.position + int(starts[line]), quarantined_text(data[starts[line] : ends[line]]), reason)
        for line, reason in sorted(rejected.items())
    ]
    return ParsedLines(columns, quarantined, [*items.values()][-1])


def _where(mask: Mask, columns: Columns, numbers: Longs) -> tuple[Columns, Longs]:
    return {name: column[mask] for name, column in columns.items()}, numbers[mask]


def _by_arrow(data: bytes, starts: Longs, lines: LineFormat) -> tuple[Columns, Longs, Mask]:
    """Lines that Arrow reads as the definition does, their numbers, and which of them are within the limits."""
    try:
        found, numbers = _read_csv(data, len(starts), lines)
    except pa.ArrowInvalid:
        found, numbers = _match(data, starts, lines)
    columns = {f"{name}_id": found[name].to_numpy().view(np.int64) for name in ("user", "item") if name in found}
    columns["rating"] = found["rating"].to_numpy() if "rating" in found else np.full(len(numbers), np.nan)
    time = pa.nulls(len(numbers), pa.int64())
    if "date" in found:
        time = pc.multiply(found["date"].view(pa.int32()).cast(pa.int64()), _SECONDS_PER_DAY)
    time = found.get("time", time)
    columns["seconds"] = time.fill_null(0).to_numpy()
    good: Mask = (columns["seconds"] >= FIRST_SECOND) & (columns["seconds"] <= LAST_SECOND)
    if time.null_count:
        columns["seconds"] = time.fill_null(_NO_TIME).to_numpy()
    least, largest = lines.id_limits
    for name in columns.keys() & {"user_id", "item_id"}:
        good &= (columns[name] >= least) & (columns[name] <= largest)
    outside = (columns["rating"] < lines.lowest) | (columns["rating"] > lines.highest)  # which NaN is not
    return columns, numbers, good & ~outside


def _read_csv(data: bytes, line_count: int, lines: LineFormat) -> tuple[Mapping[str, pa.Array], Longs]:
    """All lines but those with another number of fields.

    Raises
    ------
    ArrowInvalid : a value has another form, or a byte in the block might not mean to Arrow what it means to us
    """
    separator = lines.separator
    plain = not data.translate(None, _PLAIN_BYTES + separator.encode())
    plain = plain and (b"\r" not in data or data.count(b"\r") == data.count(b"\r\n"))
    if len(separator) > 1:
        data, separator = data.replace(separator.encode(), b"\t"), "\t"
        plain = plain and lines.separator[:1].encode() not in data
    if not plain or not lines.columns:
        raise pa.ArrowInvalid("not only plain numbers and dates")
    names = [column or f"unused {place}" for place, column in enumerate(lines.columns)]
    skipped: list[int] = []

    def skip(row: csv.InvalidRow) -> str:
        skipped.append(row.number - 1)
        return "skip"

    table = csv.read_csv(
        pa.BufferReader(data),
        csv.ReadOptions(use_threads=False, column_names=names, block_size=len(data) + 1),
        csv.ParseOptions(delimiter=separator, quote_char=False, ignore_empty_lines=False, invalid_row_handler=skip),
        csv.ConvertOptions(
            column_types=_CSV_TYPES, include_columns=[name for name in names if name in _CSV_TYPES], null_values=[]
        ),
    )
    numbers = np.delete(np.arange(line_count), skipped)
    return {name: table[name].combine_chunks() for name in table.column_names}, numbers


def _match(data: bytes, starts: Longs, lines: LineFormat) -> tuple[Mapping[str, pa.Array], Longs]:
    """The lines of the usual form."""
    offsets = pa.py_buffer(np.append(starts, len(data)).astype(np.int32))
    texts = pa.Array.from_buffers(pa.binary(), len(starts), [None, offsets, pa.py_buffer(data)])
    found = pc.extract_regex(texts, lines.pattern)
    matched = found.is_valid()
    found = found.filter(matched)
    columns = {
        field.name: pc.utf8_trim(pc.struct_field(found, field.name).cast(pa.string()), '"') for field in found.type
    }
    if "time" in columns:
        columns["time"] = _seconds(columns["time"])
    if "date" in columns:
        columns["date"] = pc.if_else(pc.equal(columns["date"], ""), None, columns["date"])
    numbers = np.flatnonzero(matched.to_numpy(zero_copy_only=False))
    return {name: column.cast(_CSV_TYPES[name]) for name, column in columns.items()}, numbers


def _seconds(times: pa.Array) -> pa.Array:
    """Seconds since 1970 of moments and of such numbers, as text; null where it is empty."""
    length = pc.binary_length(times)
    is_moment = pc.equal(length, _MOMENT_CHARACTERS)
    moments = pc.if_else(is_moment, times, None).cast(pa.timestamp("s")).view(pa.int64())
    counted = pc.if_else(pc.or_(is_moment, pc.equal(length, 0)), None, times).cast(pa.int64())
    return pc.coalesce(moments, counted)


def _with_entries(columns: Columns, numbers: Longs, entries: Mapping[int, Entry]) -> tuple[Columns, Longs]:
    """The lines and those that only the definition could read, in file order."""
    found: dict[str, Any] = {
        "user_id": [one.user_id for one in entries.values()],
        "item_id": [one.item_id for one in entries.values()],
        "rating": [np.nan if one.rating is None else one.rating for one in entries.values()],
        "seconds": [_NO_TIME if one.seconds is None else one.seconds for one in entries.values()],
    }
    numbers = np.append(numbers, list(entries))
    order = np.argsort(numbers)
    return {name: np.append(column, found[name])[order] for name, column in columns.items()}, numbers[order]
