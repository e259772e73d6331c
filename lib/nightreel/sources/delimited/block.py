"""Many lines at once: the grammar by Arrow's CSV reader, on blocks of whole lines.

Lines of the usual forms are read as columns. Where Arrow refuses some of them it is asked again without those whose
values look odd, and then for each half, until the few that are left go, as all other lines do, through the grammar one
by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nightreel.sources.delimited.columns import ID_TYPES, INSTANT, Columns, plausible, read_columns
from nightreel.sources.delimited.grammar import Grammar
from nightreel.sources.delimited.line_table import LineTable, Places, tables, usual
from nightreel.sources.delimited.values import Entry, Reason
from nightreel.sources.lines.quarantine import Rejected, quarantined_text
from nightreel.sources.lines.segments import Block

_LINES_AT_A_TIME = 65_536
PADDING = 24
_TOO_FEW_TO_HALVE = 64  # which the grammar reads in the time that a call of Arrow's reader takes


@dataclass(frozen=True)
class Rows:
    """The good rows of some lines, in file order, and the lines rejected.

    rows : grain good line; user_id, item_id (int64 or string), rating float32, rated_at (microseconds, UTC; nullable)
    position : of each row, the offset of its line's first byte
    """

    rows: pa.RecordBatch
    position: NDArray[np.int64]
    rejected: list[Rejected]


@dataclass
class _Found:
    """Rows by the numbers of their lines, in pieces."""

    numbers: list[Places] = field(default_factory=list)
    batches: list[pa.RecordBatch] = field(default_factory=list)
    odd: list[Places] = field(default_factory=list)
    """Numbers of lines that are left to the grammar."""


def parse_block(block: Block, grammar: Grammar) -> Iterator[Rows]:
    """The rows of a block of whole lines."""
    offset = block.position - PADDING
    for lines in tables(bytes(PADDING) + block.data, PADDING, offset=offset, lines_at_a_time=_LINES_AT_A_TIME):
        yield _parse(lines, grammar)


def _parse(lines: LineTable, grammar: Grammar) -> Rows:
    found = _Found()
    by_arrow = usual(lines, grammar.form, max_line_bytes=grammar.max_line_bytes)
    found.odd.append(np.flatnonzero(~by_arrow))
    if by_arrow.any():
        _read(lines, np.flatnonzero(by_arrow), grammar, found)
    rejected = _by_grammar(lines, np.sort(np.concatenate(found.odd)), grammar, found)
    order = np.concatenate(found.numbers)
    rows = pa.Table.from_batches(found.batches).combine_chunks()
    if np.any(order[1:] < order[:-1]):
        sorting = np.argsort(order)
        order, rows = order[sorting], rows.take(pa.array(sorting)).combine_chunks()
    return Rows(_only_batch(rows), lines.starts[order] + lines.offset, rejected)


def _read(lines: LineTable, numbers: Places, grammar: Grammar, found: _Found) -> None:
    """Lines as columns, halved where Arrow refuses them."""
    try:
        columns = read_columns(lines.bytes_of(numbers), grammar.form)
    except pa.ArrowInvalid:
        if len(numbers) <= _TOO_FEW_TO_HALVE:
            found.odd.append(numbers)
            return
        _read_plausible(lines, numbers, grammar, found)
        return
    listed = np.delete(numbers, columns.skipped)
    found.odd += [numbers[columns.skipped], listed[~columns.good]]
    found.numbers.append(listed[columns.good])
    found.batches.append(_batch(columns))


def _read_plausible(lines: LineTable, numbers: Places, grammar: Grammar, found: _Found) -> None:
    """Lines of which Arrow refused some: without those whose values look odd, or, where none does, halved."""
    mask = plausible(lines.bytes_of(numbers), grammar.form)
    found.odd.append(numbers[~mask])
    parts = np.array_split(numbers, 2) if mask.all() else [numbers[mask]]
    for part in (part for part in parts if len(part)):
        _read(lines, part, grammar, found)


def _by_grammar(lines: LineTable, numbers: Places, grammar: Grammar, found: _Found) -> list[Rejected]:
    entries: list[Entry] = []
    kept: list[int] = []
    rejected: list[Rejected] = []
    for number in numbers.tolist():
        line, position = lines.line(number), lines.position(number)
        match grammar.parse(line, position=position):
            case Entry() as entry:
                entries.append(entry)
                kept.append(number)
            case Reason() as reason:
                rejected.append(Rejected(position, quarantined_text(line), reason))
    found.numbers.append(np.array(kept, np.int64))
    found.batches.append(_batch_of(entries, ID_TYPES[grammar.form.ids]))
    return rejected


def _batch(columns: Columns) -> pa.RecordBatch:
    rating = np.where(columns.good, columns.rating, 0).astype(np.float32)
    rated_at = pa.array(columns.micros, mask=~columns.timed).view(INSTANT)
    rows = _rows(columns.user_id, columns.item_id, pa.array(rating), rated_at)
    return rows if columns.good.all() else rows.filter(pa.array(columns.good))


def _batch_of(entries: Iterable[Entry], ids: pa.DataType) -> pa.RecordBatch:
    listed = [(one.user_id, one.item_id, one.rating, one.micros) for one in entries]
    user_id, item_id, rating, micros = zip(*listed, strict=True) if listed else ((), (), (), ())
    return _rows(
        pa.array(user_id, ids), pa.array(item_id, ids), pa.array(rating, pa.float32()), pa.array(micros, INSTANT)
    )


def _rows(*columns: pa.Array) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(list(columns), names=["user_id", "item_id", "rating", "rated_at"])


def _only_batch(rows: pa.Table) -> pa.RecordBatch:
    batches = rows.to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=rows.schema)
