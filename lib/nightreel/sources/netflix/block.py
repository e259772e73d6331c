"""Many lines at once: the grammar by numpy, on blocks of whole lines.

Lines of the usual forms are recognised and converted by arithmetic on the eight-byte words before each line feed;
all others, headers among them, go through the grammar one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nightreel.sources.lines.quarantine import Rejected, quarantined_text
from nightreel.sources.lines.segments import PADDING
from nightreel.sources.netflix import words
from nightreel.sources.netflix.grammar import (
    UNDER_REJECTED_HEADER,
    Entry,
    Grammar,
    Header,
    Reason,
    Reject,
    days,
)

_LINES_AT_A_TIME = 32_768  # a slice's arrays stay in the processor's cache


@dataclass(frozen=True)
class Rows:
    """The good rows of some lines, in file order, and the lines rejected; all arrays have one entry a row."""

    position: NDArray[np.int64]
    user_id: NDArray[np.int64]
    item_id: NDArray[np.int64]
    rating: NDArray[np.float32]
    day: NDArray[np.int64]
    """The date in days since 1970; NO_DATE where the line has none."""
    rejected: list[Rejected]


@dataclass
class _Odd:
    """What the grammar said about the lines that have no usual form; line numbers within the slice."""

    header_lines: list[int] = field(default_factory=list)
    header_ids: list[int] = field(default_factory=list)
    entry_lines: list[int] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    rejected: list[tuple[int, Reason]] = field(default_factory=list)


class BlockParser:
    """Parses a file's blocks in order, carrying the current movie from one to the next."""

    def __init__(self, grammar: Grammar, *, item_id: int) -> None:
        """`item_id` is the movie that the first line falls under, or BEFORE_ANY_HEADER or UNDER_REJECTED_HEADER."""
        self._grammar = grammar
        self._item_id = item_id

    def parse(self, block: bytes, *, position: int) -> Iterator[Rows]:
        """The rows of a block of whole lines.

        Parameters
        ----------
        block : PADDING zero bytes, then lines that each end in a line feed
        position : offset in the file of the first line
        """
        feeds = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n"))
        start = PADDING
        for first in range(0, len(feeds), _LINES_AT_A_TIME):
            ends = feeds[first : first + _LINES_AT_A_TIME]
            yield self._lines(block, start, ends, position - PADDING)
            start = int(ends[-1]) + 1

    def _lines(self, block: bytes, start: int, ends: NDArray[np.int64], offset: int) -> Rows:
        starts = np.empty_like(ends)
        starts[0] = start
        np.add(ends[:-1], 1, out=starts[1:])
        usual = words.parse(block, starts, ends, self._grammar)
        odd = self._by_grammar(block, starts, ends, np.flatnonzero(~usual.recognised), offset)
        keep = usual.recognised
        _put_entries(odd, usual)
        item_id = self._item_of_each_line(odd, len(ends))
        if item_id.min() <= 0:
            _reject_homeless(odd, keep, item_id)
        return Rows(
            position=starts[keep] + offset,
            user_id=usual.user_id[keep],
            item_id=item_id[keep],
            rating=usual.rating[keep],
            day=usual.day[keep],
            rejected=[
                Rejected(int(starts[line]) + offset, quarantined_text(block[starts[line] : ends[line]]), reason)
                for line, reason in sorted(odd.rejected)
            ],
        )

    def _by_grammar(
        self, block: bytes, starts: NDArray[np.int64], ends: NDArray[np.int64], lines: NDArray[np.int64], offset: int
    ) -> _Odd:
        odd = _Odd()
        for line, start, end in zip(lines.tolist(), starts[lines].tolist(), ends[lines].tolist(), strict=True):
            parsed = self._grammar.parse(block[start:end], position=start + offset)
            match parsed:
                case Header(item_id):
                    odd.header_lines.append(line)
                    odd.header_ids.append(item_id)
                case Entry():
                    odd.entry_lines.append(line)
                    odd.entries.append(parsed)
                case Reject(reason):
                    odd.rejected.append((line, reason))
                    if reason is Reason.ITEM_ID:
                        odd.header_lines.append(line)
                        odd.header_ids.append(UNDER_REJECTED_HEADER)
        return odd

    def _item_of_each_line(self, odd: _Odd, n_lines: int) -> NDArray[np.int64]:
        ids = np.array([self._item_id, *odd.header_ids], np.int64)
        lengths = np.diff(np.array([0, *odd.header_lines, n_lines]))
        self._item_id = int(ids[-1])
        return np.repeat(ids, lengths)


def _put_entries(odd: _Odd, usual: words.Usual) -> None:
    for line, entry in zip(odd.entry_lines, odd.entries, strict=True):
        usual.recognised[line] = True
        usual.user_id[line] = entry.user_id
        usual.rating[line] = np.nan if entry.rating is None else entry.rating
        usual.day[line] = words.NO_DATE if entry.day is None else days(entry.day)


def _reject_homeless(odd: _Odd, keep: NDArray[np.bool_], item_id: NDArray[np.int64]) -> None:
    """Rows that stand under no movie are rejects."""
    for line in np.flatnonzero(keep & (item_id <= 0)).tolist():
        keep[line] = False
        under_reject = item_id[line] == UNDER_REJECTED_HEADER
        odd.rejected.append((line, Reason.REJECTED_HEADER if under_reject else Reason.NO_HEADER))
