"""Where the lines of a block lie, and those of them that only the grammar may read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nightreel.sources.delimited.rating_lines import RatingLines

Places = NDArray[np.int64]
Mask = NDArray[np.bool_]

_FEED, _RETURN, _QUOTE = ord("\n"), ord("\r"), ord('"')
_FIRST_PRINTED, _LAST_ASCII = ord(" "), 0x7F


@dataclass(frozen=True)
class LineTable:
    """Some lines of a file.

    data : whole lines, each with its line feed, from `starts[0]` on
    starts, ends : of each line its first byte and its line feed, as places in `data`
    offset : to be added to a place for the offset in the file
    """

    data: bytes
    starts: Places
    ends: Places
    offset: int

    def __len__(self) -> int:
        return len(self.starts)

    def line(self, number: int) -> bytes:
        return self.data[self.starts[number] : self.ends[number]]

    def position(self, number: int) -> int:
        return int(self.starts[number]) + self.offset

    def bytes_of(self, numbers: Places) -> bytes:
        """The lines of these numbers, which ascend, with their line feeds."""
        breaks = np.flatnonzero(np.diff(numbers) != 1)
        first, last = numbers[np.append(0, breaks + 1)], numbers[np.append(breaks, len(numbers) - 1)]
        spans = zip(self.starts[first].tolist(), (self.ends[last] + 1).tolist(), strict=True)
        view = memoryview(self.data)
        return b"".join(view[start:end] for start, end in spans)


def tables(data: bytes, start: int, *, offset: int, lines_at_a_time: int) -> list[LineTable]:
    """The whole lines of `data` from `start` on, so many to a table."""
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == _FEED)
    starts = np.append(start, ends[:-1] + 1)
    cuts = range(0, len(ends), lines_at_a_time)
    return [
        LineTable(data, starts[cut : cut + lines_at_a_time], ends[cut : cut + lines_at_a_time], offset) for cut in cuts
    ]


def usual(lines: LineTable, form: RatingLines, *, max_line_bytes: int) -> Mask:
    """Which lines Arrow's reader, where it does not refuse them, reads as the grammar does.

    It takes a carriage return for a line's end, skips a byte order mark wherever it begins, joins lines by open quotes
    and what stands behind a closed one to what stood in it, reads 0x10 as 16, and minds no control characters.
    """
    if form.keys:
        return np.zeros(len(lines), np.bool_)
    span = slice(int(lines.starts[0]), int(lines.ends[-1]) + 1)
    octets = np.frombuffer(lines.data, np.uint8)
    mask = lines.ends - lines.starts <= max_line_bytes
    mask[0] &= lines.position(0) != 0
    for places in _suspects(octets, span, lines, form):
        mask[np.searchsorted(lines.ends, places)] = False
    _unmask_no_utf8(octets, span, lines, mask)
    if form.quoted:
        _unmask_quotes(octets, span, lines, form, mask)
    return mask


def _suspects(octets: NDArray[np.uint8], span: slice, lines: LineTable, form: RatingLines) -> list[Places]:
    """Places of bytes that make their line one for the grammar."""
    part = octets[span]
    suspects = [_places(b"\x7f", lines.data, span)]
    for places in (_places(b"x", lines.data, span), _places(b"X", lines.data, span)):
        suspects.append(places[octets[places - 1] == ord("0")])
    if np.count_nonzero(part < _FIRST_PRINTED) > len(lines):
        low = np.flatnonzero(part < _FIRST_PRINTED) + span.start
        kinds = octets[low]
        kept = (kinds == _FEED) | ((kinds == _RETURN) & (octets[np.minimum(low + 1, len(octets) - 1)] == _FEED))
        if form.separator == "\t":
            kept |= kinds == ord("\t")
        suspects.append(low[~kept])
    return suspects


def _places(sign: bytes, data: bytes, span: slice) -> Places:
    if data.find(sign, span.start, span.stop) < 0:  # which takes a tenth of the time
        return np.empty(0, np.int64)
    places: Places = np.flatnonzero(np.frombuffer(data, np.uint8)[span] == ord(sign)) + span.start
    return places


def _unmask_no_utf8(octets: NDArray[np.uint8], span: slice, lines: LineTable, mask: Mask) -> None:
    data = lines.data[span]
    if data.isascii() or _is_utf8(data):
        return
    high = np.flatnonzero(octets[span] > _LAST_ASCII) + span.start
    for number in np.unique(np.searchsorted(lines.ends, high)).tolist():
        mask[number] &= _is_utf8(lines.line(number))


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _unmask_quotes(octets: NDArray[np.uint8], span: slice, lines: LineTable, form: RatingLines, mask: Mask) -> None:
    """Lines whose quotes do not, in turn, open behind a separator and close before one."""
    quotes = np.flatnonzero(octets[span] == _QUOTE) + span.start
    if not len(quotes):
        return
    of_line = np.searchsorted(lines.ends, quotes)
    if form.separator in " \t":  # a blank in quotes would look like one that separates
        mask[of_line] = False
        return
    number = np.arange(len(quotes)) - np.searchsorted(of_line, of_line)
    opens = number % 2 == 0
    neighbours = octets[np.where(opens, quotes - 1, quotes + 1)]
    at_start = opens & (quotes == lines.starts[of_line])
    at_end = ~opens & ((neighbours == _FEED) | (neighbours == _RETURN))
    fine = (neighbours == ord(form.separator)) | at_start | at_end
    mask[of_line[~fine]] = False
    counts = np.bincount(of_line, minlength=len(lines))
    mask[counts % 2 == 1] = False
