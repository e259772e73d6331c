"""Duplicates, filters and dense indices, each alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from nightreel.prepare import Cache, dense
from nightreel.prepare.dense import dense_index, densify
from nightreel.prepare.filters import deduplicate, keep_active
from nightreel.settings import FilterSettings


@pytest.fixture
def cache() -> Iterator[Cache]:
    with Cache() as opened:
        yield opened


def filters(**given: Any) -> FilterSettings:
    values = {
        "min_ratings_per_user": 0,
        "min_ratings_per_item": 0,
        "user_quantile": 0.0,
        "item_quantile": 0.0,
        "iterate": False,
        "repeats": "latest",
    }
    return FilterSettings.model_validate(values | given)


def pairs(spark: SparkSession, *pairs: tuple[int, int]) -> DataFrame:
    return spark.createDataFrame(
        [(user, item, 3.0) for user, item in pairs], "user_id bigint, item_id bigint, rating float"
    )


def test_the_latest_delivery_of_a_pair_wins_then_the_file_then_the_rating(spark: SparkSession) -> None:
    old, new = datetime(2005, 1, 1, tzinfo=UTC), datetime(2005, 1, 2, tzinfo=UTC)
    rows = [
        (1, 1, 5.0, old, 9),
        (1, 1, 1.0, new, 0),  # later, though from an earlier file
        (1, 1, 4.0, None, 10),
        (2, 1, 5.0, old, 0),
        (2, 1, 2.0, old, 1),  # as late, from a later file
        (3, 1, 1.0, None, 4),
        (3, 1, 3.0, None, 4),  # as late, same file: the higher
        (4, 1, 3.5, None, 0),
    ]
    ratings = spark.createDataFrame(
        rows, "user_id bigint, item_id bigint, rating float, rated_at timestamp, file_id int"
    )
    kept = deduplicate(ratings)
    assert kept.columns == ["user_id", "item_id", "rating", "rated_at", "deliveries"]
    ours = sorted((row["user_id"], row["rating"], row["deliveries"]) for row in kept.collect())
    assert ours == [(1, 1.0, 3), (2, 2.0, 2), (3, 3.0, 2), (4, 3.5, 1)]


CHAIN = ((1, 1), (1, 2), (2, 2), (2, 3), (3, 3), (3, 4), (7, 7), (7, 8), (8, 7), (8, 8), (9, 7), (9, 8))
"""A chain that a 2-core eats up link by link, and a block of users 7 to 9 who share items 7 and 8."""


def test_both_thresholds_look_once_unless_iterated(spark: SparkSession, cache: Cache) -> None:
    ratings = pairs(spark, *CHAIN).persist()

    def kept(**given: Any) -> set[tuple[int, int]]:
        rows = keep_active(ratings, filters(min_ratings_per_user=2, min_ratings_per_item=2, **given), cache=cache)
        assert rows.columns == ratings.columns
        return {(row[0], row[1]) for row in rows.collect()}

    assert kept() == set(CHAIN) - {(1, 1), (3, 4)}
    assert kept(iterate=True) == {(user, item) for user, item in CHAIN if user >= 7}
    ratings.unpersist()


def test_a_core_is_the_fixpoint_that_peeling_one_at_a_time_finds(spark: SparkSession, cache: Cache) -> None:
    rng = np.random.default_rng(3)
    drawn = pd.DataFrame({"user": rng.zipf(1.4, 4000) % 400, "item": rng.zipf(1.3, 4000) % 300}).drop_duplicates()
    core = drawn
    while True:
        users, items = core["user"].value_counts(), core["item"].value_counts()
        if users.min() >= 4 and items.min() >= 5:
            break
        core = core[~core["user"].eq(users.idxmin())] if users.min() < 4 else core[~core["item"].eq(items.idxmin())]
    assert 300 < len(core) < 0.9 * len(drawn)
    asked = filters(min_ratings_per_user=4, min_ratings_per_item=5, iterate=True)
    ratings = pairs(spark, *drawn.itertuples(index=False, name=None))
    ours = {(row[0], row[1]) for row in keep_active(ratings, asked, cache=cache).collect()}
    assert ours == set(core.itertuples(index=False, name=None))


@pytest.mark.parametrize("quantile", [0.3, 0.5, 0.9])
def test_a_quantile_stands_for_a_count(spark: SparkSession, cache: Cache, quantile: float) -> None:
    ratings = pairs(spark, *[(user, item) for user in range(1, 11) for item in range(user)])
    least = np.quantile(np.arange(1, 11), quantile, method="inverted_cdf")
    rows = keep_active(ratings, filters(user_quantile=quantile, min_ratings_per_user=2), cache=cache)
    assert {row[0] for row in rows.select("user_id").distinct().collect()} == {
        user for user in range(1, 11) if user >= least
    }


@pytest.mark.parametrize("kind", ["bigint", "string"])
def test_indices_ascend_with_the_ids_across_buckets(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(dense, "_SAMPLE", 128)
    rows = spark.range(5000).select((F.col("id") * F.col("id") * 7919 % 1_000_003 - 500_000).cast(kind).alias("key"))
    numbered, count = dense_index(rows.repartition(3), key="key", index="place")
    assert count == 5000
    assert numbered.dtypes == [("place", "int"), ("key", kind)]
    keys = [row["key"] for row in sorted(numbered.collect())]
    assert len(dense._bounds(rows, "key")) == 63
    assert keys == sorted(row["key"] for row in rows.collect())
    assert sorted(row["place"] for row in numbered.collect()) == list(range(5000))


def test_string_ids_and_what_the_indices_mean(spark: SparkSession, cache: Cache) -> None:
    ratings = spark.createDataFrame(
        [("ž", "b", 1.0, "x"), ("Ana", "b", 2.0, "y"), ("ana", "a", 5.0, "z"), ("Ana", "a", 3.0, "w")],
        "user_id string, item_id string, rating float, more string",
    )
    indexed = densify(ratings, cache=cache)
    assert [tuple(row) for row in sorted(indexed.users.collect())] == [
        (0, "Ana", 2, 2.5),
        (1, "ana", 1, 5.0),
        (2, "ž", 1, 1.0),
    ]
    assert [tuple(row) for row in sorted(indexed.items.collect())] == [(0, "a", 2, 4.0), (1, "b", 2, 1.5)]
    assert indexed.users.columns == ["user_idx", "user_id", "n_ratings", "mean_rating"]
    rows = sorted(tuple(row) for row in indexed.interactions.select("user_idx", "item_idx", "more").collect())
    assert rows == [(0, 0, "w"), (0, 1, "y"), (1, 0, "z"), (2, 1, "x")]
