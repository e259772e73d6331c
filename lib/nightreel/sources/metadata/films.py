"""Metadata files to rows of bronze_metadata."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from nightreel.settings import IngestSettings
from nightreel.sources.files import RawFile
from nightreel.sources.metadata.rows import SCHEMA, rows
from nightreel.sources.records import read_files
from nightreel.sources.source import Described, with_all_columns

METADATA_READING = "films 1"
"""Another when a file would be read into other rows than before."""

_MAX_RECORD_BYTES = 1_048_576  # a film's cast and crew take up to 200 KB
_FURTHER = ("keywords", "cast", "directors")


def read_metadata(spark: SparkSession, files: Mapping[int, RawFile], settings: IngestSettings) -> Described:
    """Films as their files deliver them, the same one perhaps more than once.

    What a film's own row does not tell of keywords, cast and directors comes from the first row with its id that does.
    """
    read = partial(rows, max_record_bytes=max(_MAX_RECORD_BYTES, settings.max_line_bytes))
    records = read_files(spark, files, read, SCHEMA)
    lines = records.select("file_id", "position", "line", "reason", "lines")
    return Described(records, with_all_columns(_films(records.where("reason IS NULL")), "bronze_metadata"), lines)


def _films(good: DataFrame) -> DataFrame:
    films = good.where("is_film")
    places = F.struct("file_id", "position")
    first = [F.min_by(name, F.when(F.col(name).isNotNull(), places)).alias(f"first_{name}") for name in _FURTHER]
    further = good.where(F.coalesce(*_FURTHER).isNotNull()).groupBy("metadata_id").agg(*first)
    whole = {name: F.coalesce(name, f"first_{name}") for name in _FURTHER}
    return films.join(further, "metadata_id", "left").withColumns(whole)
