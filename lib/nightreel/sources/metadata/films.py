"""Metadata files to rows of bronze_metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import SparkSession

from nightreel.settings import IngestSettings, MetadataSettings
from nightreel.sources.files import RawFile
from nightreel.sources.source import SURVEY_COLUMNS, Described, with_all_columns


def find_metadata(settings: MetadataSettings) -> Sequence[RawFile]:
    return []


def read_metadata(spark: SparkSession, files: Mapping[int, RawFile], settings: IngestSettings) -> Described:
    records = spark.createDataFrame([], SURVEY_COLUMNS)
    return Described(records, with_all_columns(records.select("file_id"), "bronze_metadata"), records)
