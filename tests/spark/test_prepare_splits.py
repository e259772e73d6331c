"""Every strategy on ratings few enough to count by hand."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from nightreel.errors import DataError
from nightreel.prepare import splits
from nightreel.prepare.splits import split
from nightreel.settings import SplitSettings

SCHEMA = "user_id bigint, item_id bigint, rating float, rated_at timestamp"
START = datetime(2005, 1, 1, tzinfo=UTC)
Pair = tuple[Any, Any]


def settings(strategy: str, **given: Any) -> SplitSettings:
    values = {"test_share": 0.0, "test_rows": 0, "validation_share": 0.0, "validation_rows": 0, "seed": 7, "fold": ""}
    return SplitSettings.model_validate({**values, "strategy": strategy, "probe": "given"} | given)


def marks(rows: DataFrame) -> dict[Pair, str]:
    return {(row["user_id"], row["item_id"]): row["split"] for row in rows.collect()}


def of(marked: dict[Pair, str], name: str) -> set[Pair]:
    return {pair for pair, mark in marked.items() if mark == name}


@pytest.fixture(scope="module")
def ratings(spark: SparkSession) -> DataFrame:
    """User u of 0 to 9 rates items 0 to u; item i on day i, but user 9 item 0 at no time."""
    rows = [
        (user, item, 3.0, None if (user, item) == (9, 0) else START + timedelta(days=item))
        for user in range(10)
        for item in range(user + 1)
    ]
    return spark.createDataFrame(rows, SCHEMA)


@pytest.fixture
def many(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> DataFrame:
    """5,000 ratings on three days, so that times tie by the thousand; numbers of rows are found in many rounds."""
    monkeypatch.setattr(splits, "_FEW", 20)
    monkeypatch.setattr(splits, "_COUNTED_BITS", 5)
    return spark.range(5_000).select(
        (F.col("id") % 50).alias("user_id"),
        F.col("id").alias("item_id"),
        F.timestamp_seconds(F.lit(1_100_000_000) + 86_400 * (F.col("id") % 3)).alias("rated_at"),
    )


def test_random_shares_are_met_by_hash_and_the_seed_matters(many: DataFrame) -> None:
    marked = marks(split(many, settings("random", test_share=0.2, validation_share=0.1)))
    counts = Counter(marked.values())
    # Five standard deviations.
    assert abs(counts["test"] - 1_000) < 5 * 28
    assert abs(counts["validation"] - 500) < 5 * 21
    again = marks(split(many.where("user_id < 5"), settings("random", test_share=0.2, validation_share=0.1)))
    assert again == {pair: marked[pair] for pair in again}
    other = of(marks(split(many, settings("random", test_share=0.2, seed=8))), "test")
    assert len(other & of(marked, "test")) == pytest.approx(200, abs=5 * 14)


def test_random_numbers_of_rows_are_exact(many: DataFrame) -> None:
    marked = marks(split(many, settings("random", test_rows=1_234, validation_rows=77)))
    assert Counter(marked.values()) == {"test": 1_234, "validation": 77, "train": 5_000 - 1_234 - 77}
    fewer = marks(split(many, settings("random", test_rows=1_200)))
    assert of(fewer, "test") < of(marked, "test")


def test_more_rows_than_there_are_leaves_none_to_train(ratings: DataFrame) -> None:
    assert set(marks(split(ratings, settings("random", test_rows=1000, validation_rows=5))).values()) == {"test"}


def test_numbers_of_rows_are_exact_where_all_hashes_are_equal(
    ratings: DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(splits, "_FEW", 3)
    in_test = splits.is_among_first(ratings, 17, keys=[F.lit(5).cast("bigint")])
    chosen = sorted((row[0], row[1]) for row in ratings.where(in_test).select("user_id", "item_id").collect())
    assert chosen == sorted((user, item) for user in range(10) for item in range(user + 1))[:17]


def test_chronological_takes_the_latest_and_breaks_ties_exactly(many: DataFrame) -> None:
    marked = marks(split(many, settings("chronological", test_rows=2_000, validation_share=0.1)))
    assert Counter(marked.values()) == {"test": 2_000, "validation": 500, "train": 2_500}
    # 1,666 ratings fell on the last day, 1,667 on the day before.
    days = {name: Counter(item % 3 for _, item in of(marked, name)) for name in ("test", "validation", "train")}
    assert days["test"] == {2: 1_666, 1: 334}
    assert days["validation"] == {1: 500}
    assert days["train"] == {0: 1_667, 1: 833}


def test_chronological_holds_ratings_without_a_time_for_the_oldest(ratings: DataFrame) -> None:
    marked = marks(split(ratings, settings("chronological", test_rows=3, validation_rows=51)))
    assert of(marked, "test") < {(9, 9), (8, 8), (9, 8), (7, 7), (8, 7), (9, 7)}
    assert {(9, 9), (8, 8), (9, 8)} == of(marked, "test")
    assert of(marked, "train") == {(9, 0)}


def test_per_user_takes_a_share_of_each_user_and_leaves_one_for_training(ratings: DataFrame) -> None:
    marked = marks(split(ratings, settings("per_user", test_share=0.3, validation_share=0.2)))
    test = Counter(user for user, _ in of(marked, "test"))
    validation = Counter(user for user, _ in of(marked, "validation"))
    # User u has u + 1 ratings: 0.3 and 0.2 of them, rounded half up.
    assert [test[user] for user in range(10)] == [0, 1, 1, 1, 2, 2, 2, 2, 3, 3]
    assert [validation[user] for user in range(10)] == [0, 0, 1, 1, 1, 1, 1, 2, 2, 2]
    rows = marks(split(ratings, settings("per_user", test_rows=4, validation_rows=2)))
    train = Counter(user for user, _ in of(rows, "train"))
    assert [train[user] for user in range(10)] == [1, 1, 1, 1, 1, 1, 1, 2, 3, 4]


def test_chronological_per_user_takes_each_users_latest(ratings: DataFrame) -> None:
    marked = marks(split(ratings, settings("chronological_per_user", test_share=0.2, validation_rows=1)))
    assert {pair for pair in of(marked, "test") if pair[0] == 9} == {(9, 9), (9, 8)}
    assert {pair for pair in of(marked, "validation") if pair[0] == 9} == {(9, 7)}
    assert marked[9, 0] == "train"


def test_leave_one_out(ratings: DataFrame) -> None:
    marked = marks(split(ratings, settings("leave_one_out", validation_share=0.1)))
    assert of(marked, "test") == {(user, user) for user in range(1, 10)}
    assert of(marked, "validation") == {(user, user - 1) for user in range(2, 10)}
    unasked = marks(split(ratings, settings("leave_one_out")))
    assert of(unasked, "test") == of(marked, "test")
    assert not of(unasked, "validation")


def test_probe_is_the_test_set(spark: SparkSession, ratings: DataFrame) -> None:
    pairs = spark.createDataFrame([(3, 1), (3, 1), (9, 9), (77, 1)], "user_id bigint, item_id bigint")
    marked = marks(split(ratings, settings("probe", validation_rows=5, test_share=0.5), pairs=pairs))
    assert of(marked, "test") == {(3, 1), (9, 9)}
    assert Counter(marked.values()) == {"test": 2, "validation": 5, "train": 48}
    with pytest.raises(DataError, match="no pairs were given"):
        split(ratings, settings("probe"))


@pytest.mark.parametrize("strategy", ["chronological", "chronological_per_user", "leave_one_out"])
def test_time_needs_times(ratings: DataFrame, strategy: str) -> None:
    timeless = ratings.withColumn("rated_at", F.lit(None).cast("timestamp"))
    with pytest.raises(DataError, match=f'^split.strategy = "{strategy}": no rating has a time; without times it must'):
        split(timeless, settings(strategy, test_rows=1))
