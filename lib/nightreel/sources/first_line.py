"""How a raw file begins, which tells what it is before anything reads it."""

from __future__ import annotations

from nightreel.errors import DataError
from nightreel.sources.files import RawFile
from nightreel.sources.lines.quarantine import BOM
from nightreel.sources.lines.segments import Segment, open_lines
from nightreel.sources.lines.tasks import FAULTS
from nightreel.sources.source import UNREADABLE

_MAX_BYTES = 4_096


def first_line(file: RawFile) -> str:
    """The file's first line, unpacked, without what ends it; bytes that are no UTF-8 replaced, cut at 4,096 bytes.

    Raises
    ------
    DataError : the file cannot be read
    """
    try:
        with open_lines(Segment(0, file.path, 0, file.size)) as stream:
            line = stream.readline(_MAX_BYTES)
    except FAULTS as error:
        raise DataError(f"{file.path}: {UNREADABLE}: {error}") from None
    return line.removeprefix(BOM).decode("utf-8", "replace").rstrip()
