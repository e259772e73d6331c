"""What ingested data looks like: sizes, scale, dates, repeats, gaps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from nightreel.sources.ingest import IngestReport
from nightreel.tables.tables import Tables

_MOST_VALUES = 20  # a scale of more is shown in so many ranges of the same width


@dataclass(frozen=True)
class DataQuality:
    """The ratings as they stand after an ingest, and what that ingest rejected."""

    ratings: int
    users: int
    items: int  # rated ones
    repeated: int  # ratings beyond the first of a user and item
    without_title: int  # rated items without one
    rated: Mapping[str, int]  # ratings by value, or by range of values, in ascending order
    first: datetime | None  # when the first and the last rating with a time were given, UTC
    last: datetime | None
    rejected: Mapping[str, float]  # by reason, the share of the lines that were read

    @property
    def density(self) -> float:
        """The share of all user x item pairs that are rated."""
        return (self.ratings - self.repeated) / (self.users * self.items) if self.ratings else 0.0

    def lines(self) -> list[str]:
        """The measures as text."""
        shares = ", ".join(f"{value}: {count / self.ratings:.1%}" for value, count in self.rated.items())
        lines = [f"{self.density:.2%} of all pairs of the {self.users:,} users and {self.items:,} items are rated"]
        lines += [f"ratings by value: {shares}"] if shares else []
        lines += [f"rated from {self.first:%Y-%m-%d} to {self.last:%Y-%m-%d}"] if self.first and self.last else []
        lines += [f"{self.repeated:,} ratings repeat a user and item"] if self.repeated else []
        lines += [f"{self.without_title:,} rated items have no title"] if self.without_title else []
        return lines


def measure(tables: Tables, report: IngestReport) -> DataQuality:
    """Describe bronze_ratings and bronze_items once they are written."""
    return describe(tables.read("bronze_ratings"), tables.read("bronze_items"), report)


def unmeasured(tables: Tables) -> tuple[datetime, IngestReport] | None:
    """The newest ingest, where it ended before its rows were measured: when it was, and what `measure` needs of it."""
    if not tables.exists("bronze_files"):
        return None
    files = tables.few("bronze_files")
    newest = max((row["ingested_at"] for row in files), default=None)
    measured = tables.few("bronze_quality") if tables.exists("bronze_quality") else []
    if newest is None or any(row["ingested_at"] >= newest for row in measured):
        return None
    of_ingest = [row for row in files if row["ingested_at"] == newest]
    rejected = tables.read("bronze_quarantine").where(F.col("file_id").isin([row["file_id"] for row in of_ingest]))
    kept = {
        kind: sum(row["rows"] for row in of_ingest if row["kind"] == kind) for kind in ("ratings", "items", "metadata")
    }
    return newest, IngestReport(
        files_read=0,
        files_unchanged=len(files),
        files_gone=0,
        rows_in=0,
        rows_kept=kept["ratings"],
        items=kept["items"],
        metadata=kept["metadata"],
        rejects=dict(rejected.groupBy("reason").count().collect()),
        kept_without={},
    )


def describe(ratings: DataFrame, items: DataFrame, report: IngestReport) -> DataQuality:
    """Describe rows of bronze_ratings and bronze_items as the ingest left them."""
    # At once: of small data most of the time goes into planning, one query on one core.
    with ThreadPoolExecutor(3) as pool:
        by_user, by_item = pool.submit(_by_user, ratings), pool.submit(_by_item, ratings, items)
        rated = pool.submit(_histogram, ratings)
    users, rows, pairs = by_user.result()
    counted, without_title, first, last = by_item.result()
    lines = report.lines_in or 1
    return DataQuality(
        ratings=rows,
        users=users,
        items=counted,
        repeated=rows - pairs,
        without_title=without_title,
        rated=rated.result(),
        first=None if first is None else datetime.fromtimestamp(first, UTC),
        last=None if last is None else datetime.fromtimestamp(last, UTC),
        rejected={reason: count / lines for reason, count in report.rejects.items()},
    )


def _by_user(ratings: DataFrame) -> Sequence[int]:
    """How many users, ratings, and pairs of a user and an item."""
    counts = (F.count(F.lit(1)).alias("ratings"), F.size(F.collect_set("item_id")).alias("items"))
    of_user = ratings.groupBy("user_id").agg(*counts)
    sums = (F.coalesce(F.sum(name), F.lit(0)) for name in ("ratings", "items"))
    return of_user.agg(F.count(F.lit(1)), *sums).collect()[0]


def _by_item(ratings: DataFrame, items: DataFrame) -> Sequence[int]:
    """How many items, how many of them without a title, and the first and last second of a rating."""
    of_item = ratings.groupBy("item_id").agg(F.min("rated_at").alias("first"), F.max("rated_at").alias("last"))
    titles = items.where("title IS NOT NULL").select("item_id").distinct().withColumn("titled", F.lit(True))
    first, last = F.unix_seconds(F.min("first")), F.unix_seconds(F.max("last"))
    untitled = F.count_if(F.col("titled").isNull())
    return of_item.join(titles, "item_id", "left").agg(F.count(F.lit(1)), untitled, first, last).collect()[0]


def keep(tables: Tables, quality: DataQuality, *, ingested_at: datetime) -> None:
    """Add the measures to bronze_quality, as of this ingest. Grain measure x of what."""
    sizes = ("ratings", "users", "items", "density", "repeated", "without_title")
    moments = {"first_rated": quality.first, "last_rated": quality.last}
    rows: list[tuple[datetime, str, str | None, float]] = [
        *((ingested_at, size, None, float(getattr(quality, size))) for size in sizes),
        *((ingested_at, name, None, moment.timestamp()) for name, moment in moments.items() if moment),
        *((ingested_at, "rated", value, float(count)) for value, count in quality.rated.items()),
        *((ingested_at, "reject_share", reason, share) for reason, share in quality.rejected.items()),
    ]
    frame = tables.spark.createDataFrame(rows, "ingested_at timestamp, measure string, of string, value double")
    tables.replace_where("bronze_quality", frame, f"ingested_at = TIMESTAMP'{ingested_at:%Y-%m-%d %H:%M:%S.%f} UTC'")


def _histogram(ratings: DataFrame) -> dict[str, int]:
    values = ratings.groupBy("rating").count().orderBy("rating").limit(_MOST_VALUES + 1).collect()
    if len(values) <= _MOST_VALUES:
        return {f"{value:.7g}": count for value, count in values}
    lowest, highest = ratings.agg(F.min("rating").cast("double"), F.max("rating").cast("double")).collect()[0]
    width = (highest - lowest) / _MOST_VALUES
    place = F.least(F.floor((F.col("rating") - lowest) / width), F.lit(_MOST_VALUES - 1)).alias("place")
    counts = {row["place"]: row["count"] for row in ratings.groupBy(place).count().collect()}
    bounds = [lowest + width * step for step in range(_MOST_VALUES + 1)]
    return {f"{bounds[i]:g} to {bounds[i + 1]:g}": counts.get(i, 0) for i in range(_MOST_VALUES)}
