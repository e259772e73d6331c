"""Files of rating lines as what ingest asks of a source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import reduce

from pyspark.sql import DataFrame, SparkSession

from nightreel.settings import IngestSettings
from nightreel.sources.delimited.datasource import Output, Reading, read
from nightreel.sources.delimited.grammar import Grammar
from nightreel.sources.delimited.rating_lines import Ids, RatingLines
from nightreel.sources.files import RawFile
from nightreel.sources.lines.segments import Segment

Files = Mapping[int, tuple[RawFile, RatingLines]]

_OF_NO_FILE = RatingLines(",", 2, user=0, item=1, rating=None, time=None, header=False)


def survey(spark: SparkSession, files: Files, settings: IngestSettings, *, into: str | None = None) -> DataFrame:
    """What the files hold, by file_id: see nightreel.sources.source.Source.survey."""
    return _read(spark, files, settings, Output.SURVEY, into=into)


def ratings(spark: SparkSession, files: Files, settings: IngestSettings, *, ids: Ids = "bigint") -> DataFrame:
    """Grain good line: see nightreel.sources.source.Source.ratings. Ids are bigint or string, the same in all files,
    and `ids` where there are none."""
    return _read(spark, files, settings, Output.RATINGS, into=None, ids=ids)


def ids(spark: SparkSession, files: Files, settings: IngestSettings) -> DataFrame:
    """Grain good line; columns user_id, item_id; of a damaged file those up to the damage, which a survey tells."""
    return _read(spark, files, settings, Output.IDS, into=None)


def _read(
    spark: SparkSession,
    files: Files,
    settings: IngestSettings,
    output: Output,
    *,
    into: str | None,
    ids: Ids = "bigint",
) -> DataFrame:
    segments: dict[RatingLines, list[Segment]] = {}
    for file_id, (file, form) in sorted(files.items()):
        segments.setdefault(form, []).append(Segment(file_id, file.path, 0, file.size))
    reads = [
        Reading(
            files=tuple(of_form),
            grammar=Grammar(form, settings.max_line_bytes),
            chunk_bytes=settings.chunk_bytes,
            partition_bytes=settings.partition_bytes,
            into=into,
        )
        for form, of_form in (segments or {replace(_OF_NO_FILE, ids=ids): []}).items()
    ]
    rows = [read(spark, reading, output) for reading in reads]
    return reduce(lambda above, below: above.unionByName(below), rows)
