"""What `ingest` asks of a format's reader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from nightreel.sources.files import RawFile
from nightreel.tables.schemas import ID, SCHEMAS

SURVEY_COLUMNS = "file_id int, position bigint, line string, reason string, lines bigint"
"""Of rows that tell what lines are good or rejected (see Source.survey)."""

UNREADABLE = "the file cannot be read"
"""The reason a survey gives for a file that is damaged or closed to us; its line tells what went wrong."""


@dataclass(frozen=True)
class Found:
    """The files a source consists of, in the order of their paths."""

    ratings: Sequence[RawFile]
    items: Sequence[RawFile] = ()
    """What describes the items: titles, genres, casts. They are read together: one that changed, all again."""


@dataclass(frozen=True)
class Described:
    """What files of items, or of metadata, hold.

    records : what the other two are computed from, to be kept while both are used
    rows : grain item (metadata row); columns of bronze_items (bronze_metadata), those the format lacks null
    lines : grain rejected line, and rows that count a file's good ones; columns as Source.survey without `written`
    """

    records: DataFrame
    rows: DataFrame
    lines: DataFrame


def with_all_columns(rows: DataFrame, table: str) -> DataFrame:
    """The rows with the table's columns in its order, those they lack null."""
    columns = {name: kind for name, kind in SCHEMAS[table].columns.items() if kind != ID or name in rows.columns}
    return rows.select(
        *(F.col(name) if name in rows.columns else F.lit(None).cast(kind).alias(name) for name, kind in columns.items())
    )


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

    def items(self, spark: SparkSession, files: Mapping[int, RawFile]) -> Described:
        """The items, of all the files that describe them."""
