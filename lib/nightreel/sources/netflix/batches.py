"""Arrow batches of what the parsers find, in the column order of SPARK_SCHEMAS.

Ids and days travel as four bytes each: what goes from Python to Spark costs more than to parse it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from nightreel.sources.lines.parquet import ratings_schema
from nightreel.sources.lines.quarantine import Rejected
from nightreel.sources.lines.survey import SPARK_SCHEMA, repeated
from nightreel.sources.netflix.block import Rows
from nightreel.sources.netflix.titles import Title
from nightreel.sources.netflix.words import NO_DATE

SPARK_SCHEMAS: Mapping[str, str] = {
    "ratings": "user_id int, item_id int, rating float, day int, file_id int",
    "pairs": "file_id int, position bigint, user_id int, item_id int, day int",
    "survey": SPARK_SCHEMA,
    "titles": "item_id bigint, title string, year int, file_id int, position bigint, line string, reason string",
}

TABLE_SCHEMA = ratings_schema(pa.int64())
FEW_VALUES = ("item_id", "rating", "rated_at", "file_id")
"""The columns of a file in the order of its lines that are worth a dictionary."""

_MICROS_PER_DAY = 86_400_000_000
_LONG, _INT, _TEXT = pa.int64(), pa.int32(), pa.string()


def ratings(rows: Rows, file_id: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(
        {
            "user_id": pa.array(rows.user_id.astype(np.int32)),
            "item_id": pa.array(rows.item_id.astype(np.int32)),
            "rating": pa.array(rows.rating),
            "day": pa.array(rows.day.astype(np.int32)),
            "file_id": repeated(file_id, len(rows.user_id)),
        }
    )


def table_rows(rows: Rows, file_id: int) -> pa.RecordBatch:
    """The ratings with bronze_ratings' columns."""
    columns = [
        pa.array(rows.user_id, pa.int64()),
        pa.array(rows.item_id, pa.int64()),
        pa.array(rows.rating),
        pa.array(rows.day * _MICROS_PER_DAY).view(pa.timestamp("us", tz="UTC")),
        repeated(file_id, len(rows.user_id)),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=TABLE_SCHEMA)


def pairs(rows: Rows, file_id: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(
        {
            "file_id": repeated(file_id, len(rows.user_id)),
            "position": pa.array(rows.position),
            "user_id": pa.array(rows.user_id.astype(np.int32)),
            "item_id": pa.array(rows.item_id.astype(np.int32)),
            "day": pa.array(rows.day.astype(np.int32), mask=rows.day == NO_DATE),
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
            "file_id": repeated(file_id, len(lines)),
            "position": pa.array([line and line.position for line in bad], _LONG),
            "line": pa.array([line and line.line for line in bad], _TEXT),
            "reason": pa.array([line and str(line.reason) for line in bad], _TEXT),
        }
    )
