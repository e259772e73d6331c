"""Byte ranges of raw files: how they are cut into tasks, and read as blocks of whole lines."""

from __future__ import annotations

import gzip
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, cast

from nightreel.sources.files import open_bytes
from nightreel.sources.netflix.grammar import (
    BEFORE_ANY_HEADER,
    SHOWN_BYTES,
    UNDER_REJECTED_HEADER,
    Grammar,
    Header,
)
from nightreel.sources.netflix.words import PADDING

_OPENING_COST = 65_536  # bytes one could read in the time it takes to open a file
_AT_A_TIME = 1_048_576  # read at once when looking for one line
_HEADER_END = re.compile(rb":[ \t\r]*\n")


@dataclass(frozen=True, slots=True)
class Segment:
    """The lines of a file that start in [start, end). A gzipped file is one segment, `end` its packed size."""

    file_id: int
    path: str
    start: int
    end: int

    @property
    def packed(self) -> bool:
        return self.path.endswith(".gz")


@dataclass(frozen=True, slots=True)
class Block:
    """words.PADDING zero bytes, then whole lines, each with its line feed; `position` is the first one's offset."""

    position: int
    data: bytes


def cut(files: Sequence[Segment], partition_bytes: int) -> list[list[Segment]]:
    """What each task reads: big files in equal pieces, small ones together, up to `partition_bytes` a task."""
    tasks: list[list[Segment]] = []
    room = 0
    for piece in (piece for file in files for piece in _pieces(file, partition_bytes)):
        cost = piece.end - piece.start + _OPENING_COST
        if cost > room:
            tasks.append([])
            room = partition_bytes + _OPENING_COST
        tasks[-1].append(piece)
        room -= cost
    return tasks


def _pieces(file: Segment, partition_bytes: int) -> Iterator[Segment]:
    size = file.end - file.start
    count = 1 if file.packed else max(1, math.ceil(size / partition_bytes))
    for i in range(count):
        yield Segment(file.file_id, file.path, file.start + size * i // count, file.start + size * (i + 1) // count)


def open_lines(segment: Segment) -> IO[bytes]:
    """The file the segment lies in, unpacked."""
    raw = open_bytes(segment.path)
    return cast(IO[bytes], gzip.open(raw, "rb")) if segment.packed else raw


def read_blocks(
    stream: IO[bytes], segment: Segment, *, position: int, chunk_bytes: int, max_line_bytes: int
) -> Iterator[Block]:
    """The segment's lines from `position` (see `first_line`), in blocks of about `chunk_bytes`.

    A line that is longer than `max_line_bytes` and in more than one chunk comes cut, but still longer than that, so
    that the grammar rejects it and shows the same text.
    """
    held = max(max_line_bytes + 1, SHOWN_BYTES)
    last = math.inf if segment.packed else segment.end
    stream.seek(position)
    at, begun = position, b""  # what is read so far, and the line begun in it
    while at < last or begun:
        data = stream.read(chunk_bytes if at >= last else int(min(chunk_bytes, last - at)))
        if not data:
            if begun:
                yield _block(position, begun, b"\n")
            return
        whole = (data.find(b"\n") if at >= last else data.rfind(b"\n")) + 1
        at += len(data)
        if not whole:
            begun = (begun + data)[:held]
            continue
        if len(begun) == held:
            rest = data.find(b"\n") + 1
            yield _block(position, begun, b"\n")
            position, begun, data, whole = at - len(data) + rest, b"", data[rest:], whole - rest
        if whole:
            yield _block(position, begun, memoryview(data)[:whole])
            position = at - len(data) + whole
        begun = b"" if at - len(data) + whole >= last else data[whole:]


def _block(position: int, begun: bytes, data: bytes | memoryview) -> Block:
    return Block(position, b"".join((bytes(PADDING), begun, data)))


def first_line(stream: IO[bytes], segment: Segment, *, chunk_bytes: int) -> int | None:
    """The offset of the first line that starts in the segment, None where none does."""
    if segment.start == 0:
        return 0
    at = segment.start - 1
    stream.seek(at)
    while at < segment.end and (data := stream.read(min(chunk_bytes, _AT_A_TIME))):
        feed = data.find(b"\n")
        if feed >= 0:
            return at + feed + 1 if at + feed + 1 < segment.end else None
        at += len(data)
    return None


def item_at(stream: IO[bytes], position: int, grammar: Grammar, *, chunk_bytes: int) -> int:
    """The movie that a line starting at `position` falls under, found by reading backwards."""
    end = position
    while end > 0:
        begin = max(0, end - min(chunk_bytes, _AT_A_TIME))
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
