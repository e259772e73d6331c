"""The dump as a Spark data source: byte ranges of files in, Arrow batches out."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import IO

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition
from pyspark.sql.types import StructType

from nightreel.sources.netflix import batches
from nightreel.sources.netflix.block import BlockParser, Rows
from nightreel.sources.netflix.grammar import Grammar, Rejected
from nightreel.sources.netflix.parquet import RatingsFile
from nightreel.sources.netflix.segments import Block, Segment, cut, first_line, item_at, open_lines, read_blocks
from nightreel.sources.netflix.titles import parse_titles
from nightreel.sources.source import UNREADABLE

_MICROS_PER_DAY = 86_400_000_000
_FAULTS = (OSError, EOFError, zlib.error)
"""What reading a damaged or closed file raises."""


class Output(StrEnum):
    """What the rows of a read are."""

    RATINGS = "ratings"
    """Grain good line; user_id, item_id, rating, rated_at (midnight UTC), file_id."""
    PAIRS = "pairs"
    """Grain good line; file_id, position, user_id, item_id, rated_at (null where the line has no date)."""
    SURVEY = "survey"
    """Grain rejected line, with its file_id, position, line, reason and lines = 1; and for every segment one row
    without a reason, whose lines counts the good ones. A file that cannot be read has a row with reason UNREADABLE.
    With Reading.into the good lines are also written there; a row whose lines is 0 then has the file in `written`."""
    TITLES = "titles"
    """Grain line of a titles file; item_id, title, year, and file_id, position, line, reason where it is rejected."""


@dataclass(frozen=True)
class Reading:
    """Which files are read (each a segment that covers it), by which grammar, and how much at a time."""

    files: tuple[Segment, ...]
    grammar: Grammar
    chunk_bytes: int
    partition_bytes: int
    into: str | None = None
    """How the local paths of Parquet files begin, to which a survey writes the good lines it counts."""

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Reading:
        values = json.loads(text)
        files = tuple(Segment(**file) for file in values.pop("files"))
        return Reading(files=files, grammar=Grammar(**values.pop("grammar")), **values)


def read(spark: SparkSession, reading: Reading, output: Output) -> DataFrame:
    """The files' lines as the rows that `output` names."""
    spark.dataSource.register(DumpSource)
    reader = spark.read.format(DumpSource.name()).option("output", output.value)
    rows = reader.option("reading", reading.to_json()).load()
    return rows.select(*(_widened(name) for name in rows.columns))


def _widened(column: str) -> Column:
    """A column of the batches as tables have it: ids as bigint, a day as its midnight UTC."""
    if column == "day":
        return F.expr(f"timestamp_micros(day * {_MICROS_PER_DAY})").alias("rated_at")
    return F.col(column).cast("bigint") if column in {"user_id", "item_id"} else F.col(column)


class DumpSource(DataSource):
    """Options: output, an Output, and reading, a Reading as JSON."""

    @classmethod
    def name(cls) -> str:
        return "nightreel_dump"

    def schema(self) -> str:
        return batches.SPARK_SCHEMAS[self.options["output"]]

    def reader(self, schema: StructType) -> DataSourceReader:  # noqa: ARG002
        return DumpReader(Reading.from_json(self.options["reading"]), Output(self.options["output"]))


@dataclass
class Task(InputPartition):
    """What one Spark task reads."""

    segments: Sequence[Segment]


class DumpReader(DataSourceReader):
    """Cuts the files into tasks on the driver, reads them on the executors."""

    def __init__(self, reading: Reading, output: Output) -> None:
        whole = output is Output.TITLES
        self._tasks = [[file] for file in reading.files] if whole else cut(reading.files, reading.partition_bytes)
        self._reading = replace(reading, files=())
        self._output = output

    def partitions(self) -> Sequence[InputPartition]:
        return [Task(segments) for segments in self._tasks or [[]]]

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_tasks": []}

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        segments = partition.segments if isinstance(partition, Task) else ()
        if self._output is Output.SURVEY:
            yield from self._survey(segments)
            return
        for segment in segments:
            match self._output:
                case Output.RATINGS:
                    yield from (batches.ratings(rows, segment.file_id) for rows in self._rows(segment))
                case Output.PAIRS:
                    yield from (batches.pairs(rows, segment.file_id) for rows in self._rows(segment))
                case Output.TITLES:
                    yield from self._titles(segment)

    def _rows(self, segment: Segment) -> Iterator[Rows]:
        chunk_bytes, grammar = self._reading.chunk_bytes, self._reading.grammar
        with open_lines(segment) as stream:
            position = first_line(stream, segment, chunk_bytes=chunk_bytes)
            if position is None:
                return
            parser = BlockParser(grammar, item_id=item_at(stream, position, grammar, chunk_bytes=chunk_bytes))
            for block in self._blocks(stream, segment, position):
                yield from parser.parse(block.data, position=block.position)

    def _blocks(self, stream: IO[bytes], segment: Segment, position: int) -> Iterator[Block]:
        return read_blocks(
            stream,
            segment,
            position=position,
            chunk_bytes=self._reading.chunk_bytes,
            max_line_bytes=self._reading.grammar.max_line_bytes,
        )

    def _survey(self, segments: Sequence[Segment]) -> Iterator[pa.RecordBatch]:
        file = RatingsFile(self._reading.into) if self._reading.into else None
        for segment in segments:
            yield from self._survey_of(segment, file)
        written = file and file.close()
        if written:
            yield batches.count(0, segments[0].file_id, written=written)

    def _survey_of(self, segment: Segment, file: RatingsFile | None) -> Iterator[pa.RecordBatch]:
        good = 0
        for rows in self._rows_or_fault(segment):
            if isinstance(rows, Rejected):
                yield batches.rejects([rows], segment.file_id)
                break
            good += len(rows.user_id)
            if file:
                file.add(rows, segment.file_id)
            if rows.rejected:
                yield batches.rejects(rows.rejected, segment.file_id)
        yield batches.count(good, segment.file_id)

    def _rows_or_fault(self, segment: Segment) -> Iterator[Rows | Rejected]:
        """The segment's rows, and last what kept it from being read to its end."""
        try:
            yield from self._rows(segment)
        except _FAULTS as error:
            yield Rejected(-1, str(error), UNREADABLE)

    def _titles(self, segment: Segment) -> Iterator[pa.RecordBatch]:
        try:
            with open_lines(segment) as stream:
                blocks = self._blocks(stream, segment, 0)
                parsed = parse_titles(blocks, max_line_bytes=self._reading.grammar.max_line_bytes)
                yield from (batches.titles(lines, segment.file_id) for lines in parsed)
        except _FAULTS as error:
            yield batches.titles([Rejected(-1, str(error), UNREADABLE)], segment.file_id)
