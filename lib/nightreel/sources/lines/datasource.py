"""Files of rating lines as a Spark data source: byte ranges in, Arrow batches out."""

from __future__ import annotations

import base64
import pickle
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StructType

from nightreel.settings import IngestSettings
from nightreel.sources.files import RawFile
from nightreel.sources.lines.parquet import RatingsFile
from nightreel.sources.lines.rating_lines import LineFormat
from nightreel.sources.lines.segments import FAULTS, Segment, cut, first_start, open_lines, read_blocks, refuse_utf16
from nightreel.sources.lines.vector import COLUMN_TYPES, ParsedLines, parse_block
from nightreel.sources.source import UNREADABLE
from nightreel.sources.survey import Rejected

_SURVEY_SCHEMA = pa.schema(
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


@dataclass(frozen=True)
class _Scan:
    """What is read: files, each a segment that covers it, in one format.

    columns : of good lines (see COLUMN_TYPES); None: a survey
    parquet : how the local paths of Parquet files begin, to which a survey writes the good lines it counts
    """

    files: tuple[Segment, ...]
    lines: LineFormat
    settings: IngestSettings
    columns: tuple[str, ...] | None = None
    parquet: str | None = None

    @property
    def schema(self) -> pa.Schema:
        return _SURVEY_SCHEMA if self.columns is None else _schema(self.columns)

    def to_option(self) -> str:
        return base64.b64encode(pickle.dumps(self)).decode()

    @staticmethod
    def from_option(text: str) -> _Scan:
        return cast(_Scan, pickle.loads(base64.b64decode(text)))


def read_survey(
    spark: SparkSession,
    files: Mapping[int, RawFile],
    lines: LineFormat,
    settings: IngestSettings,
    *,
    into: str | None = None,
) -> DataFrame:
    """What the files hold, by file_id: see nightreel.sources.source.Source.survey."""
    return _read(spark, _Scan(_segments(files), lines, settings, parquet=into))


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
    return _read(spark, _Scan(_segments(files), lines, settings, columns=tuple(columns)))


def _schema(columns: Sequence[str]) -> pa.Schema:
    return pa.schema([(name, COLUMN_TYPES[name]) for name in columns])


def _segments(files: Mapping[int, RawFile]) -> tuple[Segment, ...]:
    return tuple(Segment(file_id, file.path, 0, file.size) for file_id, file in sorted(files.items()))


def _read(spark: SparkSession, scan: _Scan) -> DataFrame:
    spark.dataSource.register(RatingLinesSource)
    return spark.read.format(RatingLinesSource.name()).option("scan", scan.to_option()).load()


class RatingLinesSource(DataSource):
    """Option scan: a _Scan."""

    @classmethod
    def name(cls) -> str:
        return "nightreel_rating_lines"

    def schema(self) -> StructType:
        return from_arrow_schema(_Scan.from_option(self.options["scan"]).schema)

    def reader(self, schema: StructType) -> DataSourceReader:  # noqa: ARG002
        return _Reader(_Scan.from_option(self.options["scan"]))


@dataclass
class _Task(InputPartition):
    """What one Spark task reads."""

    segments: Sequence[Segment]


class _Reader(DataSourceReader):
    """Knows all tasks on the driver, and on the executors reads the one it is given."""

    def __init__(self, scan: _Scan) -> None:
        self._tasks = cut(scan.files, scan.settings.partition_bytes)
        self._scan = replace(scan, files=())

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_tasks": []}

    def partitions(self) -> Sequence[InputPartition]:
        return [_Task(segments) for segments in self._tasks or [[]]]

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        segments = partition.segments if isinstance(partition, _Task) else ()
        if self._scan.columns is None:
            yield from self._survey(segments)
            return
        for segment in segments:
            yield from (
                parsed.batch(segment.file_id, self._scan.schema)
                for parsed in parse_segment(segment, self._scan.lines, self._scan.settings)
            )

    def _survey(self, segments: Sequence[Segment]) -> Iterator[pa.RecordBatch]:
        """Rejected lines, one row for each segment that counts its good ones, and one for the file they went into."""
        schema, prefix = _schema(_RATINGS), self._scan.parquet
        file = RatingsFile(prefix, schema, self._scan.lines.dictionary_columns) if prefix else None
        for segment in segments:
            good = 0
            try:
                for parsed in parse_segment(segment, self._scan.lines, self._scan.settings):
                    good += len(parsed)
                    if file and len(parsed):
                        file.add(parsed.batch(segment.file_id, schema), segment.file_id)
                    if parsed.rejected:
                        yield _rejects(parsed.rejected, segment.file_id)
            except FAULTS as error:
                yield _rejects([Rejected(-1, str(error), UNREADABLE)], segment.file_id)
            yield _survey_rows([(segment.file_id, None, None, None, good, None)])
        written = file and file.close()
        if written:
            yield _survey_rows([(segments[0].file_id, None, None, None, 0, written.to_json())])


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


def _rejects(rejected: Sequence[Rejected], file_id: int) -> pa.RecordBatch:
    return _survey_rows([(file_id, one.position, one.line, str(one.reason), 1, None) for one in rejected])


def _survey_rows(rows: Sequence[tuple[object, ...]]) -> pa.RecordBatch:
    columns = zip(*rows, strict=True)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, _SURVEY_SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=_SURVEY_SCHEMA)
