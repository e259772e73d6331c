"""Good rows straight into a Parquet file with bronze_ratings' columns, as they are parsed.

What goes from Python through Spark into Parquet crosses a socket and is turned from columns to rows and back; that
takes several times as long as to parse it.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from nightreel.sources.netflix.block import Rows
from nightreel.table_files import TableFile

_ROWS_PER_GROUP = 1_048_576  # 28 MB: what is held in memory
_MICROS_PER_DAY = 86_400_000_000
_SCHEMA = pa.schema(
    [
        ("user_id", pa.int64()),
        ("item_id", pa.int64()),
        ("rating", pa.float32()),
        ("rated_at", pa.timestamp("us", tz="UTC")),
        ("file_id", pa.int32()),
    ]
)
_FEW_VALUES = ["item_id", "rating", "rated_at", "file_id"]


@dataclass
class RatingsFile:
    """A file begun with its first row. `close` tells what was written; nothing where there were no rows."""

    prefix: str
    """How its path begins."""
    _path: Path = field(init=False)
    _writer: pq.ParquetWriter | None = None
    _held: list[pa.RecordBatch] = field(default_factory=list)
    _held_rows: int = 0
    _rows: int = 0
    _file_ids: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._path = Path(f"{self.prefix}-{uuid.uuid4()}.zstd.parquet")

    def add(self, rows: Rows, file_id: int) -> None:
        if not len(rows.user_id):
            return
        self._held.append(_batch(rows, file_id))
        self._held_rows += len(rows.user_id)
        self._file_ids.add(file_id)
        if self._held_rows >= _ROWS_PER_GROUP:
            self._write_held()

    def close(self) -> TableFile | None:
        if self._held:
            self._write_held()
        if self._writer is None:
            return None
        self._writer.close()
        return TableFile(
            name=self._path.name,
            size=self._path.stat().st_size,
            rows=self._rows,
            lowest={"file_id": min(self._file_ids)},
            highest={"file_id": max(self._file_ids)},
        )

    def _write_held(self) -> None:
        if self._writer is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = pq.ParquetWriter(
                self._path, _SCHEMA, compression="zstd", use_dictionary=_FEW_VALUES, write_statistics=["file_id"]
            )
        self._writer.write_table(pa.Table.from_batches(self._held, _SCHEMA), row_group_size=2 * _ROWS_PER_GROUP)
        self._rows += self._held_rows
        self._held, self._held_rows = [], 0


def _batch(rows: Rows, file_id: int) -> pa.RecordBatch:
    columns = [
        pa.array(rows.user_id, pa.int64()),
        pa.array(rows.item_id, pa.int64()),
        pa.array(rows.rating),
        pa.array(rows.day * _MICROS_PER_DAY).view(pa.timestamp("us", tz="UTC")),
        pa.array(np.full(len(rows.user_id), file_id, np.int32)),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=_SCHEMA)
