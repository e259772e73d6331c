"""Good rows straight into a Parquet file with bronze_ratings' columns, as they are parsed.

Rows that go from Python through Spark into Parquet cross a socket and are turned from columns to rows and back, which
takes several times as long as to parse them.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from nightreel.tables.delta_rs import TableFile

_ROWS_PER_GROUP = 1_048_576  # 28 MB where ids are numbers: what is held in memory


@dataclass
class RatingsFile:
    """A file begun with its first row. `close` returns what was written, None where there were no rows.

    Numbers not worth a dictionary are packed as differences, which takes half the time of compressing them whole.
    """

    prefix: str
    """How its path begins."""
    schema: pa.Schema
    dictionary_columns: Sequence[str]
    _path: Path = field(init=False)
    _writer: pq.ParquetWriter | None = None
    _held: list[pa.RecordBatch] = field(default_factory=list)
    _held_rows: int = 0
    _rows: int = 0
    _file_ids: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._path = Path(f"{self.prefix}-{uuid.uuid4()}.zstd.parquet")

    def add(self, rows: pa.RecordBatch, file_id: int) -> None:
        """One row or more, of that raw file."""
        self._held.append(rows)
        self._held_rows += rows.num_rows
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
                self._path,
                self.schema,
                compression="zstd",
                use_dictionary=list(self.dictionary_columns),
                column_encoding={
                    name: "DELTA_BINARY_PACKED" for name in self.schema.names if name not in self.dictionary_columns
                },
                write_statistics=["file_id"],
            )
        self._writer.write_table(pa.Table.from_batches(self._held, self.schema), row_group_size=2 * _ROWS_PER_GROUP)
        self._rows += self._held_rows
        self._held, self._held_rows = [], 0
