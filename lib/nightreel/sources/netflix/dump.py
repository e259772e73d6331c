"""The Netflix Prize's dump as one of ingest's sources."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from nightreel.settings import Settings
from nightreel.sources.files import RawFile
from nightreel.sources.lines.segments import Segment
from nightreel.sources.netflix.datasource import Output, Reading, read
from nightreel.sources.netflix.grammar import Grammar
from nightreel.sources.netflix.layout import find_pairs_beside, find_ratings, find_titles
from nightreel.sources.source import Described, Found, with_all_columns

_GRAMMAR_VERSION = 1  # count up when a file would be read into other rows than before


class NetflixDump:
    """combined_data_*.txt or training_set/mv_*.txt, and the titles file (see nightreel.sources.source.Source)."""

    def __init__(self, settings: Settings) -> None:
        self._data = settings.data
        self._ingest = settings.ingest
        self._grammar = Grammar(
            rows="ratings",
            lowest=settings.scale.lowest,
            highest=settings.scale.highest,
            max_line_bytes=settings.ingest.max_line_bytes,
        )

    @property
    def reading(self) -> str:
        depends_on = ["netflix", _GRAMMAR_VERSION, self._grammar.lowest, self._grammar.highest]
        text = json.dumps([*depends_on, self._grammar.max_line_bytes])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def find(self) -> Found:
        ratings = find_ratings(self._data.path)
        titles = find_titles(self._data.items, ratings)
        return Found(ratings, [titles] if titles else [])

    def pairs_to_score(self) -> str | None:
        file = find_pairs_beside(find_ratings(self._data.path))
        return None if file is None else file.path

    def survey(self, spark: SparkSession, files: Mapping[int, RawFile], *, into: str | None = None) -> DataFrame:
        rows = self._read(spark, files, Output.SURVEY, into=into)
        return rows.select("file_id", "position", "line", "reason", "lines", "written")

    def ratings(self, spark: SparkSession, files: Mapping[int, RawFile]) -> DataFrame:
        rows = self._read(spark, files, Output.RATINGS)
        return rows.select("user_id", "item_id", "rating", "rated_at", "file_id")

    def items(self, spark: SparkSession, files: Mapping[int, RawFile]) -> Described:
        lines = self._read(spark, files, Output.TITLES)
        titles = lines.where(F.col("reason").isNull()).select("item_id", "title", "year")
        survey = lines.select("file_id", "position", "line", "reason", F.lit(1).cast("bigint").alias("lines"))
        return Described(records=lines, rows=with_all_columns(titles, "bronze_items"), lines=survey)

    def _read(
        self, spark: SparkSession, files: Mapping[int, RawFile], output: Output, *, into: str | None = None
    ) -> DataFrame:
        reading = Reading(
            files=tuple(Segment(file_id, file.path, 0, file.size) for file_id, file in sorted(files.items())),
            grammar=self._grammar,
            chunk_bytes=self._ingest.chunk_bytes,
            partition_bytes=self._ingest.partition_bytes,
            into=into,
        )
        return read(spark, reading, output)
