"""Arrow batches of what the parsers find, in the column order of SPARK_SCHEMAS.

Ids and days travel as four bytes each: what goes from Python to Spark costs more than to parse it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from nightreel.sources.netflix.block import Rows
from nightreel.sources.netflix.grammar import Rejected
from nightreel.sources.netflix.titles import Title
from nightreel.sources.netflix.words import NO_DATE
from nightreel.table_files import TableFile

SPARK_SCHEMAS: Mapping[str, str] = {
    "ratings": "user_id int, item_id int, rating float, day int, file_id int",
    "pairs": "file_id int, position bigint, user_id int, item_id int, day int",
    "survey": "file_id int, position bigint, line string, reason string, lines bigint, written string",
    "titles": "item_id bigint, title string, year int, file_id int, position bigint, line string, reason string",
}

_LONG, _INT, _TEXT = pa.int64(), pa.int32(), pa.string()


def ratings(rows: Rows, file_id: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(
        {
            "user_id": pa.array(rows.user_id.astype(np.int32)),
            "item_id": pa.array(rows.item_id.astype(np.int32)),
            "rating": pa.array(rows.rating),
            "day": pa.array(rows.day.astype(np.int32)),
            "file_id": _repeated(file_id, len(rows.user_id)),
        }
    )


def pairs(rows: Rows, file_id: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(
        {
            "file_id": _repeated(file_id, len(rows.user_id)),
            "position": pa.array(rows.position),
            "user_id": pa.array(rows.user_id.astype(np.int32)),
            "item_id": pa.array(rows.item_id.astype(np.int32)),
            "day": pa.array(rows.day.astype(np.int32), mask=rows.day == NO_DATE),
        }
    )


def rejects(rejected: Sequence[Rejected], file_id: int) -> pa.RecordBatch:
    """Rows of the survey: a line each."""
    return pa.RecordBatch.from_pydict(
        {
            "file_id": _repeated(file_id, len(rejected)),
            "position": pa.array([line.position for line in rejected], _LONG),
            "line": pa.array([line.line for line in rejected], _TEXT),
            "reason": pa.array([line.reason for line in rejected], _TEXT),
            "lines": pa.array([1] * len(rejected), _LONG),
            "written": pa.nulls(len(rejected), _TEXT),
        }
    )


def count(good: int, file_id: int, *, written: TableFile | None = None) -> pa.RecordBatch:
    """The survey's row that counts good lines, or names a file they were written to."""
    return pa.RecordBatch.from_pydict(
        {
            "file_id": _repeated(file_id, 1),
            "position": pa.nulls(1, _LONG),
            "line": pa.nulls(1, _TEXT),
            "reason": pa.nulls(1, _TEXT),
            "lines": pa.array([good], _LONG),
            "written": pa.array([written and written.to_json()], _TEXT),
        }
    )


def titles(lines: Sequence[Title | Rejected], file_id: int) -> pa.RecordBatch:
    good = [line if isinstance(line, Title) else None for line in lines]
    bad = [line if isinstance(line, Rejected) else None for line in lines]
    return pa.RecordBatch.from_pydict(
        {
            "item_id": pa.array([line and line.item_id for line in good], _LONG),
            "title": pa.array([line and line.title for line in good], _TEXT),
            "year": pa.array([line and line.year for line in good], _INT),
            "file_id": _repeated(file_id, len(lines)),
            "position": pa.array([line and line.position for line in bad], _LONG),
            "line": pa.array([line and line.line for line in bad], _TEXT),
            "reason": pa.array([line and str(line.reason) for line in bad], _TEXT),
        }
    )


def _repeated(file_id: int, times: int) -> pa.Array:
    return pa.array(np.full(times, file_id, np.int32))
