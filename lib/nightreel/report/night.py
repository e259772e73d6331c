"""A night's figures, gathered from its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from nightreel.errors import DataError
from nightreel.tables.schemas import EPOCH_METRICS
from nightreel.tables.tables import Tables

_ROWS_TO_KNOW_A_USER = 20
_MOST_SHOWN = 10
_SHOWN_TABLES = ("bronze_ratings", "bronze_quarantine", "silver_interactions", "gold_metrics", "gold_recommendations")


@dataclass(frozen=True)
class UserPicture:
    """One user's best liked training rows and recommendations."""

    user_id: int | str
    ratings: int
    """Number of training rows."""
    liked: Sequence[tuple[str, float]]
    """Titles and ratings, the highest first."""
    recommended: Sequence[str]
    """Titles by rank."""
    model: str


@dataclass(frozen=True)
class NightReport:
    """What a night ingested, kept, measured and recommended. Counts are rows."""

    run_date: date
    files: int
    good: int
    rejected: Mapping[str, int]
    """By reason, the most frequent first."""
    splits: Mapping[str, int]
    users: int
    items: int
    matched: Mapping[str, int]
    """Items by the rule that found their film, or by the reason for no match; empty without metadata."""
    found: int
    """Items with a film."""
    split: str
    """The held-out split that the models were measured on."""
    scores: Mapping[str, Mapping[str, float]]
    """Metrics by model, and by their names in gold_metrics."""
    user: UserPicture
    tables: Mapping[str, str]
    """Names in Spark SQL."""

    @property
    def kept(self) -> int:
        return sum(self.splits.values())


def gather(tables: Tables, *, run_date: date, split: str = "test", user: int | str | None = None) -> NightReport:
    """Read the night of `run_date` from its tables; nothing is collected that grows with the data.

    Parameters
    ----------
    split : the held-out split that the models were measured on
    user : the user_id to show; by default the smallest with at least 20 training rows

    Raises
    ------
    DataError : there are no recommendations of this date, or none for this user
    TableError : a table is missing
    """
    interactions = tables.read("silver_interactions")
    picture = _picture(tables, interactions.where(F.col("split") == "train"), run_date, user)
    files, good = tables.read("bronze_ratings").agg(F.count_distinct("file_id"), F.count("*")).collect()[0]
    rates = tables.read("silver_match_rates").orderBy(F.desc("matched"), F.desc("items"), "matched_by").collect()
    return NightReport(
        run_date=run_date,
        files=files,
        good=good,
        rejected=_counts(tables.read("bronze_quarantine"), "reason"),
        splits=_counts(interactions, "split"),
        users=tables.read("silver_users").count(),
        items=tables.read("silver_items").count(),
        matched={row["matched_by"]: row["items"] for row in rates},
        found=sum(row["items"] for row in rates if row["matched"]),
        split=split,
        scores=_scores(tables, run_date, split),
        user=picture,
        tables={table: tables.name(table) for table in _SHOWN_TABLES},
    )


def _counts(rows: DataFrame, column: str) -> dict[str, int]:
    """Rows by value, the most frequent first."""
    return dict(rows.groupBy(column).count().orderBy(F.desc("count"), column).collect())


def _scores(tables: Tables, run_date: date, split: str) -> dict[str, dict[str, float]]:
    """The metrics of each model's newest run that was measured for the date."""
    of_night = tables.read("gold_metrics").where((F.col("run_date") == F.lit(run_date)) & (F.col("split") == split))
    measured = of_night.where(f"NOT {EPOCH_METRICS}")
    finished = tables.read("gold_runs").select("run_id", "finished_at")
    newest = Window.partitionBy("model").orderBy(F.desc("finished_at"), F.desc("run_id"))
    rows = (
        measured.join(finished, "run_id", "left")
        .withColumn("age", F.dense_rank().over(newest))
        .where("age = 1 AND value IS NOT NULL")
        .select("model", "metric", "value")
        .collect()
    )
    scores: dict[str, dict[str, float]] = {}
    for row in rows:
        scores.setdefault(row["model"], {})[row["metric"]] = row["value"]
    return scores


def _picture(tables: Tables, train: DataFrame, run_date: date, user: int | str | None) -> UserPicture:
    night = tables.read("gold_recommendations").where(F.col("run_date") == F.lit(run_date))
    if tables.exists("gold_champion"):  # a date may have lists of several runs
        of_lists = (F.col("purpose") == "lists") & (F.col("run_date") == F.lit(run_date))
        serving = tables.read("gold_champion").where(of_lists).agg(F.max_by("run_id", "decided_at")).collect()[0][0]
        night = night if serving is None else night.where(F.col("run_id") == serving)
    chosen = _well_known(tables, train, night) if user is None else user
    rows = night.where(F.col("user_id") == F.lit(chosen)).orderBy("rank").limit(_MOST_SHOWN).collect()
    if not rows:
        whom = "" if chosen is None else f" for user {chosen}"
        raise DataError(
            f"{tables.name('gold_recommendations')}: none{whom} on {run_date}; the recommend job writes them"
        )
    ratings, liked = _liked(tables, train, chosen)
    run = tables.read("gold_runs").where(F.col("run_id") == rows[0]["run_id"]).select("model").first()
    return UserPicture(
        user_id=rows[0]["user_id"],
        ratings=ratings,
        liked=liked,
        recommended=[row["title"] or f"item {row['item_id']}" for row in rows],
        model=rows[0]["run_id"] if run is None else run["model"],
    )


def _well_known(tables: Tables, train: DataFrame, night: DataFrame) -> int | str | None:
    """The smallest user_id with recommendations and enough rows; if none has enough, the user with the most."""
    known = (
        train.groupBy("user_idx")
        .agg(F.count("*").alias("n"))
        .join(tables.read("silver_users").select("user_idx", "user_id"), "user_idx", "inner")
        .join(night.select("user_id").distinct(), "user_id", "left_semi")
    )
    enough = F.least(F.col("n"), F.lit(_ROWS_TO_KNOW_A_USER))
    first = known.orderBy(enough.desc(), "user_id").select("user_id").first()
    return None if first is None else first["user_id"]


def _liked(tables: Tables, train: DataFrame, user: int | str | None) -> tuple[int, list[tuple[str, float]]]:
    """The number of the user's ratings, and the highest; of equal ones the items with fewer ratings first."""
    index = tables.read("silver_users").where(F.col("user_id") == F.lit(user)).select("user_idx")
    title = F.coalesce("title", F.concat(F.lit("item "), F.col("item_id").cast("string")))
    rated = (
        train.join(F.broadcast(index), "user_idx", "left_semi")
        .join(tables.read("silver_items"), "item_idx", "inner")
        .withColumn("total", F.count("*").over(Window.partitionBy("user_idx")))
        .orderBy(F.desc("rating"), "n_ratings", "item_idx")
        .select("rating", title.alias("title"), "total")
    )
    rows = rated.limit(_MOST_SHOWN).collect()
    return (rows[0]["total"] if rows else 0), [(row["title"], row["rating"]) for row in rows]
