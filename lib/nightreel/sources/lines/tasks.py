"""Segments of files as the tasks of a Spark read."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql.datasource import DataSourceReader, InputPartition

from nightreel.errors import DataError
from nightreel.sources.files import RawFile
from nightreel.sources.lines.quarantine import BOM
from nightreel.sources.lines.segments import Segment, open_lines
from nightreel.sources.source import UNREADABLE

FAULTS = (OSError, EOFError, zlib.error, zipfile.BadZipFile)
"""What reading a damaged or closed file raises."""


@dataclass
class Task(InputPartition):
    """What one Spark task reads."""

    segments: Sequence[Segment]


class SegmentsReader(DataSourceReader):
    """A reader that knows its tasks on the driver, and on the executors reads the one it is given."""

    def __init__(self, tasks: Sequence[Sequence[Segment]]) -> None:
        self._tasks = tasks

    def partitions(self) -> Sequence[InputPartition]:
        return [Task(segments) for segments in self._tasks or [[]]]

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_tasks": []}


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
