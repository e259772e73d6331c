"""Byte ranges of raw files: how they are cut into tasks, and read as blocks of whole lines."""

from __future__ import annotations

import gzip
import math
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import IO, cast

from nightreel.errors import DataError
from nightreel.sources.files import RawFile, open_bytes
from nightreel.sources.source import UNREADABLE
from nightreel.sources.survey import BOM, SHOWN_BYTES

FAULTS = (OSError, EOFError, zlib.error, zipfile.BadZipFile)
"""What reading a damaged or closed file raises."""

_OPENING_COST = 65_536  # bytes one could read in the time it takes to open a file
AT_A_TIME = 1_048_576
"""Bytes read at once when looking for one line."""
_FIRST_LINE_BYTES = 4_096
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Segment:
    """The lines of a file that start in [start, end).

    A packed file, gzipped or in an archive (zip://inside.csv::archive.zip), is one segment, whatever its `end`.
    """

    file_id: int
    path: str
    start: int
    end: int

    @property
    def packed(self) -> bool:
        return self.gzipped or "::" in self.path

    @property
    def gzipped(self) -> bool:
        return self.path.partition("::")[0].endswith(".gz")


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines, at least one, each with its line feed; `position` is the first one's offset."""

    position: int
    data: bytes


def cut(files: Sequence[Segment], partition_bytes: int) -> list[list[Segment]]:
    """What each task reads of whole files: big ones in equal pieces, small ones together, up to `partition_bytes`."""
    tasks: list[list[Segment]] = []
    room = 0
    for piece in chain.from_iterable(_pieces(file, partition_bytes) for file in files):
        cost = piece.end - piece.start + _OPENING_COST
        if cost > room:
            tasks.append([])
            room = partition_bytes + _OPENING_COST
        tasks[-1].append(piece)
        room -= cost
    return tasks


def _pieces(file: Segment, partition_bytes: int) -> Iterator[Segment]:
    count = 1 if file.packed else max(1, math.ceil(file.end / partition_bytes))
    for i in range(count):
        yield Segment(file.file_id, file.path, file.end * i // count, file.end * (i + 1) // count)


def open_lines(segment: Segment) -> IO[bytes]:
    """The file the segment lies in, unpacked."""
    raw = open_bytes(segment.path)
    return cast(IO[bytes], gzip.open(raw, "rb")) if segment.gzipped else raw


def first_line(file: RawFile) -> str:
    """The file's first line, unpacked, without what ends it; bytes that are no UTF-8 replaced, cut at 4,096 bytes.

    Raises
    ------
    DataError : the file cannot be read, or is in UTF-16
    """
    try:
        with open_lines(Segment(0, file.path, 0, file.size)) as stream:
            refuse_utf16(stream)
            line = stream.readline(_FIRST_LINE_BYTES)
    except FAULTS as error:
        raise DataError(f"{file.path}: {UNREADABLE}: {error}") from None
    return line.removeprefix(BOM).decode("utf-8", "replace").rstrip()


def refuse_utf16(stream: IO[bytes]) -> None:
    """Raise OSError where the file begins with the byte order mark of UTF-16; leaves the stream at its beginning."""
    stream.seek(0)
    if stream.read(2) in _UTF16:
        raise OSError("it is in UTF-16: convert it to UTF-8")
    stream.seek(0)


def read_blocks(
    stream: IO[bytes], segment: Segment, *, position: int, chunk_bytes: int, max_line_bytes: int
) -> Iterator[Block]:
    """The segment's lines from `position` (see `first_start`), in blocks of about `chunk_bytes`.

    A line that is longer than `max_line_bytes` and in more than one chunk comes cut, but still longer than that: it is
    rejected with the same text.
    """
    held = max(max_line_bytes + 1, SHOWN_BYTES)
    last = math.inf if segment.packed else segment.end
    stream.seek(position)
    at, begun = position, b""  # what is read so far, and the line begun in it
    while at < last or begun:
        data = stream.read(chunk_bytes if at >= last else int(min(chunk_bytes, last - at)))
        if not data:
            if begun:
                yield Block(position, begun + b"\n")
            return
        whole = (data.find(b"\n") if at >= last else data.rfind(b"\n")) + 1
        at += len(data)
        if not whole:
            begun = (begun + data)[:held]
            continue
        if len(begun) == held:
            rest = data.find(b"\n") + 1
            yield Block(position, begun + b"\n")
            position, begun, data, whole = at - len(data) + rest, b"", data[rest:], whole - rest
        if whole:
            yield Block(position, begun + memoryview(data)[:whole])
            position = at - len(data) + whole
        begun = b"" if at - len(data) + whole >= last else data[whole:]


def first_start(stream: IO[bytes], segment: Segment, *, chunk_bytes: int) -> int | None:
    """The offset of the first line that starts in the segment, None where none does."""
    if segment.start == 0:
        return 0
    at = segment.start - 1
    stream.seek(at)
    while at < segment.end and (data := stream.read(min(chunk_bytes, AT_A_TIME))):
        feed = data.find(b"\n")
        if feed >= 0:
            return at + feed + 1 if at + feed + 1 < segment.end else None
        at += len(data)
    return None
