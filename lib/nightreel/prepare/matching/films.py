"""The films that items are looked up among."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def films(metadata: DataFrame, *, min_votes: int) -> DataFrame:
    """One row of each film with votes enough: of several rows with the same id, the one with the most votes.

    Parameters
    ----------
    metadata : grain metadata row; as bronze_metadata
    min_votes : films with fewer are left out; one without a count has none

    Returns
    -------
    grain film; the columns of `metadata`
    """
    votes = F.coalesce("vote_count", F.lit(0).cast("bigint"))
    voted = metadata.where(F.col("metadata_id").isNotNull() & (votes >= min_votes))
    others = [name for name in metadata.columns if name not in ("metadata_id", "vote_count")]
    # Of equally many votes the largest row, so that the same rows give the same films.
    best = F.max(F.struct(votes.alias("votes"), "vote_count", *others)).alias("best")
    return voted.groupBy("metadata_id").agg(best).select(*_from(metadata.columns))


def _from(columns: list[str]) -> list[str]:
    return [name if name == "metadata_id" else f"best.{name}" for name in columns]
