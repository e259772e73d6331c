"""Files of rating lines as a Spark data source: byte ranges in, Arrow batches out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from functools import partial

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition
from pyspark.sql.types import StructType

from nightreel.sources.delimited.block import Rows, parse_block
from nightreel.sources.delimited.columns import ID_TYPES
from nightreel.sources.delimited.grammar import Grammar
from nightreel.sources.delimited.rating_lines import RatingLines
from nightreel.sources.lines.parquet import RatingsFile, ratings_schema
from nightreel.sources.lines.segments import Segment, cut, first_start, open_lines, read_blocks
from nightreel.sources.lines.survey import SPARK_SCHEMA, Parsed, repeated, survey
from nightreel.sources.lines.tasks import FAULTS, SegmentsReader, Task

_FEW_VALUES = ("user_id", "item_id", "rating", "file_id")  # worth a dictionary


class Output(StrEnum):
    """What the rows of a read are: ids, or what nightreel.sources.source.Source says."""

    RATINGS = "ratings"
    SURVEY = "survey"
    IDS = "ids"


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
        grammar = values.pop("grammar")
        form = RatingLines(**(grammar["form"] | {"keys": tuple(grammar["form"]["keys"])}))
        return Reading(files=files, grammar=Grammar(form, grammar["max_line_bytes"]), **values)


def read(spark: SparkSession, reading: Reading, output: Output) -> DataFrame:
    """The files' lines as the rows that `output` names."""
    spark.dataSource.register(RatingLinesSource)
    reader = spark.read.format(RatingLinesSource.name()).option("output", output.value)
    return reader.option("reading", reading.to_json()).load()


class RatingLinesSource(DataSource):
    """Options: output, an Output, and reading, a Reading as JSON."""

    @classmethod
    def name(cls) -> str:
        return "nightreel_rating_lines"

    def schema(self) -> str:
        if self.options["output"] == Output.SURVEY:
            return SPARK_SCHEMA
        ids = self._reading().grammar.form.ids
        if self.options["output"] == Output.IDS:
            return f"user_id {ids}, item_id {ids}"
        return f"user_id {ids}, item_id {ids}, rating float, rated_at timestamp, file_id int"

    def reader(self, schema: StructType) -> DataSourceReader:  # noqa: ARG002
        return RatingLinesReader(self._reading(), Output(self.options["output"]))

    def _reading(self) -> Reading:
        return Reading.from_json(self.options["reading"])


class RatingLinesReader(SegmentsReader):
    """Cuts the files into tasks on the driver, reads them on the executors."""

    def __init__(self, reading: Reading, output: Output) -> None:
        super().__init__(cut(reading.files, reading.partition_bytes))
        self._reading = replace(reading, files=())
        self._output = output
        self._schema = ratings_schema(ID_TYPES[reading.grammar.form.ids])

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        segments = partition.segments if isinstance(partition, Task) else ()
        if self._output is Output.SURVEY:
            into = self._reading.into
            yield from survey(
                segments, self._parsed, file=RatingsFile(into, self._schema, _FEW_VALUES) if into else None
            )
            return
        for segment in segments:
            if self._output is Output.IDS:
                yield from self._ids(segment)
            else:
                yield from (self._table_rows(lines, segment.file_id) for lines in self._rows(segment))

    def _ids(self, segment: Segment) -> Iterator[pa.RecordBatch]:
        with suppress(*FAULTS):
            yield from (lines.rows.select(["user_id", "item_id"]) for lines in self._rows(segment))

    def _parsed(self, segment: Segment) -> Iterator[Parsed]:
        for lines in self._rows(segment):
            yield Parsed(lines.rows.num_rows, lines.rejected, partial(self._table_rows, lines, segment.file_id))

    def _rows(self, segment: Segment) -> Iterator[Rows]:
        grammar, chunk_bytes = self._reading.grammar, self._reading.chunk_bytes
        with open_lines(segment) as stream:
            position = first_start(stream, segment, chunk_bytes=chunk_bytes)
            if position is None:
                return
            for block in read_blocks(
                stream, segment, position=position, chunk_bytes=chunk_bytes, max_line_bytes=grammar.max_line_bytes
            ):
                yield from parse_block(block, grammar)

    def _table_rows(self, lines: Rows, file_id: int) -> pa.RecordBatch:
        columns = [*lines.rows.columns, repeated(file_id, lines.rows.num_rows)]
        return pa.RecordBatch.from_arrays(columns, schema=self._schema)
