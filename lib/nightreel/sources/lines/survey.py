"""What files hold, line by line: good lines counted and perhaps written, rejected ones told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from nightreel.sources.lines.parquet import RatingsFile
from nightreel.sources.lines.quarantine import Rejected
from nightreel.sources.lines.segments import Segment
from nightreel.sources.lines.tasks import FAULTS
from nightreel.sources.source import SURVEY_COLUMNS, UNREADABLE
from nightreel.tables.delta_rs import TableFile

SPARK_SCHEMA = f"{SURVEY_COLUMNS}, written string"
"""Of the batches: see nightreel.sources.source.Source.survey."""

_LONG, _TEXT = pa.int64(), pa.string()


@dataclass(frozen=True)
class Parsed:
    """Some lines of a file: how many are good, and those that are not."""

    good: int
    rejected: Sequence[Rejected]
    rows: Callable[[], pa.RecordBatch]
    """The good lines as rows of bronze_ratings; asked for only where they are written."""


def survey(
    segments: Sequence[Segment], parse: Callable[[Segment], Iterator[Parsed]], *, file: RatingsFile | None
) -> Iterator[pa.RecordBatch]:
    """The segments' rejected lines, and for each one row that counts its good ones, which go into the file.

    A file that cannot be read has a row with reason UNREADABLE. What was written is told in a row that counts 0.
    """
    for segment in segments:
        yield from _survey_of(segment, parse, file)
    written = file and file.close()
    if written:
        yield _count(0, segments[0].file_id, written=written)


def _survey_of(
    segment: Segment, parse: Callable[[Segment], Iterator[Parsed]], file: RatingsFile | None
) -> Iterator[pa.RecordBatch]:
    good = 0
    for lines in _parsed_or_fault(segment, parse):
        if isinstance(lines, Rejected):
            yield _rejects([lines], segment.file_id)
            break
        good += lines.good
        if file and lines.good:
            file.add(lines.rows(), segment.file_id)
        if lines.rejected:
            yield _rejects(lines.rejected, segment.file_id)
    yield _count(good, segment.file_id)


def _parsed_or_fault(segment: Segment, parse: Callable[[Segment], Iterator[Parsed]]) -> Iterator[Parsed | Rejected]:
    """The segment's lines, and last what kept it from being read to its end."""
    try:
        yield from parse(segment)
    except FAULTS as error:
        yield Rejected(-1, str(error), UNREADABLE)


def _rejects(rejected: Sequence[Rejected], file_id: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(
        {
            "file_id": repeated(file_id, len(rejected)),
            "position": pa.array([line.position for line in rejected], _LONG),
            "line": pa.array([line.line for line in rejected], _TEXT),
            "reason": pa.array([line.reason for line in rejected], _TEXT),
            "lines": pa.array([1] * len(rejected), _LONG),
            "written": pa.nulls(len(rejected), _TEXT),
        }
    )


def _count(good: int, file_id: int, *, written: TableFile | None = None) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(
        {
            "file_id": repeated(file_id, 1),
            "position": pa.nulls(1, _LONG),
            "line": pa.nulls(1, _TEXT),
            "reason": pa.nulls(1, _TEXT),
            "lines": pa.array([good], _LONG),
            "written": pa.array([written and written.to_json()], _TEXT),
        }
    )


def repeated(file_id: int, times: int) -> pa.Array:
    """The column file_id of so many rows."""
    return pa.array(np.full(times, file_id, np.int32))
