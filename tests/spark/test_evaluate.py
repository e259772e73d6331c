"""Metrics against answers computed by hand, and models whose metrics are obvious."""

from __future__ import annotations

from math import log2, sqrt

import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from nightreel.errors import DataError
from nightreel.evaluate import catalogue_metrics, evaluate, hold_out, ranking_metrics, rating_metrics
from nightreel.models.contract import Capability, TrainedModel
from nightreel.settings import EvaluateSettings, ScaleSettings

SCALE = ScaleSettings(lowest=1.0, highest=5.0)
PAIR = "user_idx int, item_idx int, rating float"
LISTS = "user_idx int, rank int, item_idx int, score float"
INTERACTIONS = f"{PAIR}, split string"


class StandIn(TrainedModel):
    """Recommends given lists and predicts 3 for everything, or what it was told."""

    form = "stand-in"
    algorithm = "stand_in"

    def __init__(self, lists: DataFrame, *capabilities: Capability) -> None:
        self.lists = lists
        self.capabilities = frozenset(capabilities)
        self.asked: tuple[list[int], int, set[tuple[int, int]]] | None = None

    def predict(self, pairs: DataFrame) -> DataFrame:
        return pairs.select("*", F.lit(3.0).cast("float").alias("prediction"), (F.col("user_idx") > 1).alias("cold"))

    def recommend(self, users: DataFrame, *, n: int, seen: DataFrame) -> DataFrame:
        seen_pairs = {(row[0], row[1]) for row in seen.collect()}
        self.asked = (sorted(row[0] for row in users.collect()), n, seen_pairs)
        return self.lists.where(F.col("rank") <= n)

    def similar(self, *, n: int) -> DataFrame:
        raise NotImplementedError


def values(metrics: DataFrame | list[Row]) -> dict[str, tuple[float, int]]:
    rows = metrics if isinstance(metrics, list) else metrics.collect()
    return {row["metric"]: (row["value"], row["rows"]) for row in rows}


def measured_on(
    interactions: DataFrame, settings: EvaluateSettings, model: TrainedModel
) -> dict[str, tuple[float, int]]:
    with hold_out(interactions, settings) as held_out:
        return values(evaluate(model, held_out, SCALE))


def lists(spark: SparkSession, *recommended: tuple[int, list[int]]) -> DataFrame:
    """Each user with the items recommended, best first."""
    return spark.createDataFrame(
        [
            (user, rank, item, -float(rank))
            for user, items in recommended
            for rank, item in reversed(list(enumerate(items, start=1)))
        ],
        LISTS,
    )


def test_rating_metrics_clip_to_the_scale_and_count_cold_rows_as_errors(spark: SparkSession) -> None:
    predictions = spark.createDataFrame(
        [(5.0, 9.0, False), (1.0, -3.0, False), (4.0, 3.0, True), (2.0, 4.0, False)],
        "rating float, prediction float, cold boolean",
    )
    assert values(rating_metrics(predictions, SCALE)) == {
        "rmse": (pytest.approx(sqrt(5 / 4), abs=1e-12), 4),
        "mae": (pytest.approx(3 / 4, abs=1e-12), 4),
        "coverage": (0.75, 4),
        "cold_rows": (1.0, 4),
    }


def test_ranking_metrics_by_hand(spark: SparkSession) -> None:
    held_out = spark.createDataFrame(
        [(0, 1, 5.0), (0, 2, 4.0), (0, 3, 4.0), (0, 9, 1.0), (1, 4, 5.0), (2, 6, 4.0), (3, 7, 3.5)], PAIR
    )
    recommended = lists(spark, (0, [1, 9, 2]), (1, [5, 4]), (3, [7, 8, 9]))
    # User 2 got no recommendations and counts as zero; user 3 has nothing relevant and does not count.
    second, third = 1 / log2(3), 1 / log2(4)
    expected = {
        "precision@1": (1 + 0) / 3,
        "precision@2": (1 / 2 + 1 / 2) / 3,
        "precision@3": (2 / 3 + 1 / 3) / 3,
        "recall@1": (1 / 3 + 0) / 3,
        "recall@2": (1 / 3 + 1) / 3,
        "recall@3": (2 / 3 + 1) / 3,
        "ndcg@1": (1 + 0) / 3,
        "ndcg@2": (1 / (1 + second) + second) / 3,
        "ndcg@3": ((1 + third) / (1 + second + third) + second) / 3,
        "map@1": (1 + 0) / 3,
        "map@2": (1 / 2 + 1 / 2) / 3,
        "map@3": ((1 + 2 / 3) / 3 + 1 / 2) / 3,
        "mrr@1": (1 + 0) / 3,
        "mrr@2": (1 + 1 / 2) / 3,
        "mrr@3": (1 + 1 / 2) / 3,
        "hit_rate@1": 1 / 3,
        "hit_rate@2": 2 / 3,
        "hit_rate@3": 2 / 3,
    }
    measured = values(ranking_metrics(recommended, held_out, ks=[1, 2, 3], relevant_from=4.0))
    assert {metric: value for metric, (value, _) in measured.items()} == pytest.approx(expected, abs=1e-12)
    assert {users for _, users in measured.values()} == {3}


def test_catalogue_metrics_by_hand(spark: SparkSession) -> None:
    popularity = spark.createDataFrame([(0, 8), (1, 2), (2, 1), (3, 0), (4, 4)], "item_idx int, n_ratings bigint")
    recommended = lists(spark, (0, [0, 1]), (1, [0, 3]))
    measured = values(catalogue_metrics(recommended, popularity, ks=[1, 2], training_users=8))
    assert measured == {
        "catalogue_coverage@1": (1 / 5, 5),
        "catalogue_coverage@2": (3 / 5, 5),
        "novelty@1": (0.0, 2),
        "novelty@2": (pytest.approx((0 + 2 + 0 + 3) / 4, abs=1e-12), 4),
    }


@pytest.fixture(scope="module")
def interactions(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame(
        [
            (0, 0, 5.0, "train"),
            (0, 1, 4.0, "validation"),
            (0, 2, 5.0, "test"),
            (0, 3, 1.0, "test"),
            (1, 0, 2.0, "train"),
            (1, 3, 4.0, "test"),
            (2, 1, 2.0, "test"),
            (3, 4, 2.0, "train"),
        ],
        INTERACTIONS,
    )


def test_a_model_that_cheats_scores_one_and_is_asked_the_right_question(
    spark: SparkSession, interactions: DataFrame
) -> None:
    model = StandIn(lists(spark, (0, [2]), (1, [3])), Capability.PREDICT, Capability.RECOMMEND)
    settings = EvaluateSettings(split="test", k=(1, 2), relevant_from=4.0)
    measured = measured_on(interactions, settings, model)
    for metric in ("precision@1", "recall@1", "ndcg@2", "map@2", "mrr@2", "hit_rate@1"):
        assert measured[metric] == (pytest.approx(1.0, abs=1e-12), 2), metric
    assert measured["precision@2"] == (0.5, 2)
    assert measured["catalogue_coverage@2"] == (2 / 5, 5)
    assert measured["novelty@1"] == (pytest.approx(log2(3), abs=1e-12), 2)
    assert measured["rmse"] == (pytest.approx(sqrt((4 + 4 + 1 + 1) / 4), abs=1e-12), 4)
    assert measured["cold_rows"] == (1.0, 4)
    assert model.asked == ([0, 1, 2], 2, {(0, 0), (0, 1), (1, 0), (3, 4)})


def test_only_what_the_model_can_do_is_measured(spark: SparkSession, interactions: DataFrame) -> None:
    settings = EvaluateSettings(split="validation", k=(1,), relevant_from=4.0)
    no_order = StandIn(lists(spark), Capability.PREDICT)
    no_ratings = StandIn(lists(spark, (0, [2])), Capability.RECOMMEND)
    with hold_out(interactions, settings) as held_out:
        assert set(values(evaluate(no_order, held_out, SCALE))) == {"rmse", "mae", "coverage", "cold_rows"}
        measured = values(evaluate(no_ratings, held_out, SCALE))
    assert "rmse" not in measured
    assert measured["ndcg@1"] == (0.0, 1)


def test_an_empty_split_and_an_unreachable_threshold_are_one_line_each(
    spark: SparkSession, interactions: DataFrame
) -> None:
    model = StandIn(lists(spark, (0, [2])), Capability.RECOMMEND)
    settings = EvaluateSettings(split="validation", k=(1,), relevant_from=4.5)
    with pytest.raises(DataError, match=r"^evaluate.relevant_from = 4.5: no rating of split validation reaches it$"):
        measured_on(interactions, settings, model)
    without = interactions.where("split != 'validation'")
    with pytest.raises(DataError, match=r'^evaluate.split = "validation": no interaction is in it'):
        measured_on(without, settings, model)
