"""Files of rating lines as what ingest asks of a source."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import DataFrame, SparkSession

from nightreel.settings import IngestSettings
from nightreel.sources.delimited.rating_lines import RatingLines
from nightreel.sources.files import RawFile


def survey(
    spark: SparkSession,
    files: Mapping[int, tuple[RawFile, RatingLines]],
    settings: IngestSettings,
    *,
    into: str | None = None,
) -> DataFrame:
    """What the files hold, by file_id: see nightreel.sources.source.Source.survey."""
    raise NotImplementedError


def ratings(
    spark: SparkSession, files: Mapping[int, tuple[RawFile, RatingLines]], settings: IngestSettings
) -> DataFrame:
    """Grain good line: see nightreel.sources.source.Source.ratings. Ids are bigint or string, the same in all files."""
    raise NotImplementedError
