"""The dump as a Spark data source: byte ranges of files in, Arrow batches out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from functools import partial
from typing import IO

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition
from pyspark.sql.types import StructType

from nightreel.sources.lines.parquet import RatingsFile
from nightreel.sources.lines.quarantine import Rejected
from nightreel.sources.lines.segments import Block, Segment, cut, first_line, open_lines, read_blocks
from nightreel.sources.lines.survey import Parsed, survey
from nightreel.sources.lines.tasks import FAULTS, SegmentsReader, Task
from nightreel.sources.netflix import batches
from nightreel.sources.netflix.block import BlockParser, Rows
from nightreel.sources.netflix.grammar import Grammar
from nightreel.sources.netflix.header_search import item_at
from nightreel.sources.netflix.titles import parse_titles
from nightreel.sources.source import UNREADABLE

_MICROS_PER_DAY = 86_400_000_000


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


class DumpReader(SegmentsReader):
    """Cuts the files into tasks on the driver, reads them on the executors."""

    def __init__(self, reading: Reading, output: Output) -> None:
        whole = output is Output.TITLES
        super().__init__([[file] for file in reading.files] if whole else cut(reading.files, reading.partition_bytes))
        self._reading = replace(reading, files=())
        self._output = output

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
        into = self._reading.into
        file = RatingsFile(into, batches.TABLE_SCHEMA, batches.FEW_VALUES) if into else None
        return survey(segments, self._parsed, file=file)

    def _parsed(self, segment: Segment) -> Iterator[Parsed]:
        for rows in self._rows(segment):
            as_table = partial(batches.table_rows, rows, segment.file_id)
            yield Parsed(len(rows.user_id), rows.rejected, as_table)

    def _titles(self, segment: Segment) -> Iterator[pa.RecordBatch]:
        try:
            with open_lines(segment) as stream:
                blocks = self._blocks(stream, segment, 0)
                parsed = parse_titles(blocks, max_line_bytes=self._reading.grammar.max_line_bytes)
                yield from (batches.titles(lines, segment.file_id) for lines in parsed)
        except FAULTS as error:
            yield batches.titles([Rejected(-1, str(error), UNREADABLE)], segment.file_id)
