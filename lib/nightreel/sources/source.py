"""What `ingest` asks of a format's reader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pyspark.sql import DataFrame, SparkSession

from nightreel.sources.files import RawFile

UNREADABLE = "the file cannot be read"
"""The reason a survey gives for a file that is damaged or closed to us; its line tells what went wrong."""


@dataclass(frozen=True)
class Found:
    """The files a source consists of, in the order of their paths."""

    ratings: Sequence[RawFile]
    titles: RawFile | None


class Source(Protocol):
    """One format of raw files. Files to be read come by their file_id."""

    @property
    def reading(self) -> str:
        """A digest of everything beside a file's bytes that its rows depend on."""

    def find(self) -> Found:
        """The files that the settings name; raises ConfigurationError or DataError where there are none."""

    def pairs_to_score(self) -> str | None:
        """A file beside the ratings whose pairs wait for a prediction, if the format has such files."""

    def survey(self, spark: SparkSession, files: Mapping[int, RawFile], *, into: str | None = None) -> DataFrame:
        """What the rating files hold, without their rows.

        Parameters
        ----------
        into : how the local paths of Parquet files begin, to which the good lines are written with bronze_ratings'
            columns; None: they are only counted

        Returns
        -------
        grain rejected line, with file_id int, position bigint, line string, reason string and lines bigint = 1;
        and any number of rows a file without a reason, whose lines add up to the file's good ones. `written` is a
        TableFile as JSON in a row for each file that was written, null in all others
        """

    def ratings(self, spark: SparkSession, files: Mapping[int, RawFile]) -> DataFrame:
        """Grain good line; columns user_id, item_id, rating float, rated_at timestamp, file_id int."""

    def items(self, spark: SparkSession, files: Mapping[int, RawFile]) -> DataFrame:
        """The titles file's lines.

        Returns
        -------
        grain line; columns item_id, title string, year int, genres array<string> of the good ones (item_id null in
        the others), file_id int, and position bigint, line string, reason string of the rejected ones
        """
