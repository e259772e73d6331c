"""Segments of files as the tasks of a Spark read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql.datasource import DataSourceReader, InputPartition

from nightreel.sources.lines.segments import FAULTS, Segment, first_line

__all__ = ["FAULTS", "SegmentsReader", "Task", "first_line"]


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
