"""Files of rating lines as a Spark data source: byte ranges in, Arrow batches or Parquet files out."""

from __future__ import annotations

import base64
import pickle
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StructType

from nightreel.settings import IngestSettings
from nightreel.sources.files import RawFile
from nightreel.sources.lines.rating_lines import LineFormat
from nightreel.sources.lines.segments import FAULTS, Segment, cut, first_start, open_lines, read_blocks, refuse_utf16
from nightreel.sources.lines.vector import COLUMN_TYPES, ParsedLines, parse_block
from nightreel.sources.source import UNREADABLE
from nightreel.tables.delta_rs import TableFile

_SURVEY = pa.schema(
    [
        ("file_id", pa.int32()),
        ("position", pa.int64()),
        ("line", pa.string()),
        ("reason", pa.string()),
        ("lines", pa.int64()),
        ("written", pa.string()),
    ]
)
_RATINGS = ("user_id", "item_id", "rating", "rated_at", "file_id")
_ROWS_PER_GROUP = 1_048_576  # 28 MB where ids are numbers: what is held in memory


@dataclass(frozen=True)
class _Scan:
    """What is read of segments in one format.

    columns : of good lines (see COLUMN_TYPES); None: a survey
    parquet : how the local paths of Parquet files begin, to which a survey writes the good lines it counts
    """

    segments: Sequence[Segment]
    lines: LineFormat
    settings: IngestSettings
    columns: Sequence[str] | None = None
    parquet: str | None = None

    @property
    def schema(self) -> pa.Schema:
        return _SURVEY if self.columns is None else _schema(self.columns)


def read_survey(
    spark: SparkSession,
    files: Mapping[int, RawFile],
    lines: LineFormat,
    settings: IngestSettings,
    *,
    into: str | None = None,
) -> DataFrame:
    """What the files hold, by file_id: see nightreel.sources.source.Source.survey."""
    return _read(spark, _Scan(_whole(files), lines, settings, parquet=into))


def read_lines(
    spark: SparkSession,
    files: Mapping[int, RawFile],
    lines: LineFormat,
    settings: IngestSettings,
    *,
    columns: Sequence[str] = _RATINGS,
) -> DataFrame:
    """Grain good line; columns as asked for, of user_id bigint, item_id bigint, rating float, rated_at timestamp,
    file_id int and position bigint (offset of the line's first byte in the unpacked file)."""
    return _read(spark, _Scan(_whole(files), lines, settings, columns=columns))


def _schema(columns: Sequence[str]) -> pa.Schema:
    return pa.schema([(name, COLUMN_TYPES[name]) for name in columns])


def _whole(files: Mapping[int, RawFile]) -> list[Segment]:
    return [Segment(file_id, file.path, 0, file.size) for file_id, file in sorted(files.items())]


def _read(spark: SparkSession, scan: _Scan) -> DataFrame:
    spark.dataSource.register(RatingLinesSource)
    option = base64.b64encode(pickle.dumps(scan)).decode()
    return spark.read.format(RatingLinesSource.name()).option("scan", option).load()


class RatingLinesSource(DataSource):
    """Option scan: a pickled _Scan, in Base64."""

    @classmethod
    def name(cls) -> str:
        return "nightreel_rating_lines"

    def schema(self) -> StructType:
        return from_arrow_schema(self._scan().schema)

    def reader(self, schema: StructType) -> DataSourceReader:  # noqa: ARG002
        return _Reader(self._scan())

    def _scan(self) -> _Scan:
        scan: _Scan = pickle.loads(base64.b64decode(self.options["scan"]))
        return scan


class _Reader(DataSourceReader):
    """Knows all tasks on the driver; an executor reads the segments of the one it is given."""

    def __init__(self, scan: _Scan) -> None:
        self._tasks = cut(scan.segments, scan.settings.partition_bytes)
        self._scan = replace(scan, segments=())

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_tasks": []}

    def partitions(self) -> Sequence[InputPartition]:
        return [InputPartition(segments) for segments in self._tasks or [[]]]

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        if self._scan.columns is None:
            yield from _survey(self._scan, partition.value)
            return
        for segment in partition.value:
            for parsed in parse_segment(segment, self._scan.lines, self._scan.settings):
                yield parsed.batch(segment.file_id, self._scan.schema)


def _survey(scan: _Scan, segments: Sequence[Segment]) -> Iterator[pa.RecordBatch]:
    """Rejected lines, one row for each segment that counts its good ones, and one for the file they went into."""
    file = RatingsFile(scan.parquet, scan.lines.dictionary_columns) if scan.parquet else None
    for segment in segments:
        file_id, good = segment.file_id, 0
        try:
            for parsed in parse_segment(segment, scan.lines, scan.settings):
                good += len(parsed)
                if file and len(parsed):
                    file.add(parsed.batch(file_id, file.schema), file_id)
                if parsed.rejected:
                    yield _rows(*((file_id, one.position, one.line, one.reason, 1, None) for one in parsed.rejected))
        except FAULTS as error:
            yield _rows((file_id, -1, str(error), UNREADABLE, 1, None))
        yield _rows((file_id, None, None, None, good, None))
    written = file and file.close()
    if written:
        yield _rows((segments[0].file_id, None, None, None, 0, written.to_json()))


def _rows(*rows: tuple[object, ...]) -> pa.RecordBatch:
    columns = zip(*rows, strict=True)
    return pa.record_batch(
        [pa.array(column, field.type) for column, field in zip(columns, _SURVEY, strict=True)], schema=_SURVEY
    )


def parse_segment(segment: Segment, lines: LineFormat, settings: IngestSettings) -> Iterator[ParsedLines]:
    """The lines that start in the segment.

    Raises
    ------
    FAULTS : the file is damaged or closed to us, or is in UTF-16
    """
    chunk_bytes, max_line_bytes = settings.chunk_bytes, settings.max_line_bytes
    with open_lines(segment) as stream:
        if segment.start == 0:
            refuse_utf16(stream)
        position = first_start(stream, segment, chunk_bytes=chunk_bytes)
        if position is None:
            return
        item = lines.item_above(stream, position, chunk_bytes=chunk_bytes, max_line_bytes=max_line_bytes)
        for block in read_blocks(
            stream, segment, position=position, chunk_bytes=chunk_bytes, max_line_bytes=max_line_bytes
        ):
            parsed = parse_block(block, lines, item_above=item, max_line_bytes=max_line_bytes)
            item = parsed.item_below
            yield parsed


class RatingsFile:
    """Good lines straight into a Parquet file with bronze_ratings' columns, begun with its first row.

    Rows that go from Python through Spark into Parquet cross a socket and are turned from columns to rows and back,
    which takes several times as long as to parse them. Numbers not worth a dictionary are packed as differences, which
    takes half the time of compressing them whole.
    """

    schema = _schema(_RATINGS)

    def __init__(self, prefix: str, dictionary_columns: Sequence[str]) -> None:
        """`prefix` is how the file's path begins."""
        self._path = Path(f"{prefix}-{uuid.uuid4()}.zstd.parquet")
        self._dictionary_columns = list(dictionary_columns)
        self._writer: pq.ParquetWriter | None = None
        self._held: list[pa.RecordBatch] = []
        self._held_rows = self._rows = 0
        self._file_ids: set[int] = set()

    def add(self, rows: pa.RecordBatch, file_id: int) -> None:
        """One row or more, of that raw file."""
        self._held.append(rows)
        self._held_rows += rows.num_rows
        self._file_ids.add(file_id)
        if self._held_rows >= _ROWS_PER_GROUP:
            self._write_held()

    def close(self) -> TableFile | None:
        """What was written; None where there were no rows."""
        if self._held:
            self._write_held()
        if self._writer is None:
            return None
        self._writer.close()
        lowest, highest = ({"file_id": extreme(self._file_ids)} for extreme in (min, max))
        return TableFile(self._path.name, self._path.stat().st_size, self._rows, lowest, highest)

    def _write_held(self) -> None:
        if self._writer is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = pq.ParquetWriter(
                self._path,
                self.schema,
                compression="zstd",
                use_dictionary=self._dictionary_columns,
                column_encoding={
                    name: "DELTA_BINARY_PACKED" for name in self.schema.names if name not in self._dictionary_columns
                },
                write_statistics=["file_id"],
            )
        self._writer.write_table(pa.Table.from_batches(self._held, self.schema), row_group_size=2 * _ROWS_PER_GROUP)
        self._rows += self._held_rows
        self._held, self._held_rows = [], 0
