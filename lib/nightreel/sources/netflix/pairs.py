"""probe.txt and qualifying.txt: movies, and the users whose ratings of them are to be predicted."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from nightreel.settings import IngestSettings
from nightreel.sources.lines.segments import Segment
from nightreel.sources.netflix.datasource import Output, Reading, read
from nightreel.sources.netflix.grammar import Grammar
from nightreel.sources.netflix.layout import find_pairs


@dataclass(frozen=True)
class Pairs:
    """A file's pairs and its rejected lines.

    pairs : grain good line; position bigint (offset of the line's first byte, so the file's order), user_id bigint,
        item_id bigint, rated_at timestamp (midnight UTC; null where the line has no date)
    rejects : grain rejected line; position bigint, line string, reason string
    """

    pairs: DataFrame
    rejects: DataFrame


def read_pairs(spark: SparkSession, path: str, settings: IngestSettings) -> Pairs:
    """The pairs of a file such as probe.txt (`user` a line) or qualifying.txt (`user,YYYY-MM-DD`); .gz too.

    Raises
    ------
    ConfigurationError : there is no such file, or there are several
    """
    file = find_pairs(path)
    reading = Reading(
        files=(Segment(0, file.path, 0, file.size),),
        grammar=Grammar(rows="pairs", lowest=0.0, highest=0.0, max_line_bytes=settings.max_line_bytes),
        chunk_bytes=settings.chunk_bytes,
        partition_bytes=settings.partition_bytes,
    )
    survey = read(spark, reading, Output.SURVEY)
    return Pairs(
        pairs=read(spark, reading, Output.PAIRS).select("position", "user_id", "item_id", "rated_at"),
        rejects=survey.where(F.col("reason").isNotNull()).select("position", "line", "reason"),
    )
