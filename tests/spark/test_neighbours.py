"""The neighbours form gives the same answers on Spark as in memory, for every rule and either axis."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession

from nightreel.models import Capability, NeighbourModel
from nightreel.models.classical.item_weights import Ease, EaseParams, ItemCosine, ItemCosineParams
from nightreel.models.engine.one_task import ROWS_DDL, as_rows, of_rows
from nightreel.models.forms.arrays import Ratings, Side, strongest
from nightreel.models.forms.neighbour_arrays import NeighbourArrays, NeighbourRule

RULES = [
    NeighbourRule(axis=axis, combine=combine, k=k, min_support=2, biased=biased, min_rating=3.0, below=0.25)
    for axis in ("item", "user")
    for combine, k, biased in (
        ("weighted_mean", 3, True),
        ("weighted_mean", 0, False),
        ("mean", 0, True),
        ("rank", 0, True),
    )
]
NEW = 1000
PAIRS = [(0, 0), (1, 2), (5, 8), (5, 8), (None, 3), (NEW, 2), (2, NEW), (None, None)]
ASKED = [0, 3, 7, NEW]


def rows() -> list[tuple[int, int, float]]:
    random = np.random.default_rng(3)
    return [(u, i, float(random.integers(1, 6))) for u in range(24) for i in range(9) if random.random() < 0.6]


RATINGS = Ratings.of(*(np.array(column) for column in zip(*rows(), strict=True)))


@pytest.fixture(scope="module")
def interactions(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame(rows(), "user_idx int, item_idx int, rating float")


def arrays(rule: NeighbourRule) -> NeighbourArrays:
    """Random weights, biases and scales."""
    random = np.random.default_rng(5)
    n = RATINGS.n_items if rule.axis == "item" else RATINGS.n_users
    weights = random.random((n, n)).astype(np.float32)
    np.fill_diagonal(weights, 0)
    return NeighbourArrays(
        rule=rule,
        users=Side.of(RATINGS.user_means, bias=RATINGS.user_means * 0.3 if rule.biased else None),
        items=Side.of(RATINGS.item_means, bias=RATINGS.item_means * 0.5 if rule.biased else None),
        table=strongest(weights, 6),
        scale=(1 + random.random(n)).astype(np.float32),
        ratings=RATINGS,
        global_mean=RATINGS.mean,
        capabilities=frozenset({Capability.RECOMMEND if rule.combine == "rank" else Capability.PREDICT}),
    )


def in_tables(spark: SparkSession, model: NeighbourArrays, ratings: DataFrame) -> Any:
    batches = spark.createDataFrame(_table(model), ROWS_DDL)
    return of_rows(batches, algorithm="planted", ratings=ratings)


def _table(model: NeighbourArrays) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for batch in as_rows(model) for row in batch.to_pylist()]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.axis}-{rule.combine}-{rule.biased}")
def test_tables_answer_as_arrays(spark: SparkSession, interactions: DataFrame, rule: NeighbourRule) -> None:
    model = arrays(rule)
    kept = in_tables(spark, model, interactions)
    assert isinstance(kept, NeighbourModel)
    if rule.combine == "rank":
        assert_same_lists(spark, model, kept, interactions)
        return
    asked = spark.createDataFrame(
        [(place, *pair) for place, pair in enumerate(PAIRS)], "at int, user_idx int, item_idx int"
    )
    found = [(row["prediction"], row["cold"]) for row in kept.predict(asked).orderBy("at").collect()]
    users, items = (np.array([-1 if pair[side] is None else pair[side] for pair in PAIRS]) for side in (0, 1))
    expected = model.predict(users, items)
    assert [value for value, _ in found] == pytest.approx(expected.prediction.tolist(), abs=1e-5)
    assert [cold for _, cold in found] == expected.cold.tolist() == [False] * 4 + [True] * 4


@pytest.mark.parametrize(
    "algorithm",
    [
        Ease(EaseParams(kept=5, min_rating=3.0, below=0.25, tasks=2, reg=2.0)),
        ItemCosine(ItemCosineParams(kept=5, min_rating=3.0, below=0.25, tasks=2, shrink=1.0)),
    ],
    ids=lambda algorithm: algorithm.name,
)
def test_a_gramian_counted_in_tasks_is_the_one_counted_at_once(
    spark: SparkSession, interactions: DataFrame, algorithm: Any
) -> None:
    assert_same_lists(spark, algorithm.fit_arrays(RATINGS, seed=0), algorithm.fit(interactions, seed=0), interactions)


def assert_same_lists(spark: SparkSession, model: Any, kept: Any, interactions: DataFrame) -> None:
    users = spark.createDataFrame([(user,) for user in ASKED], "user_idx int")
    rows = kept.recommend(users, n=4, seen=interactions).orderBy("user_idx", "rank").collect()
    asked = np.array(ASKED)
    best = model.recommend(asked, n=4, seen=RATINGS.by_user.of(asked))
    assert [(row["user_idx"], row["rank"], row["item_idx"]) for row in rows] == list(
        zip(asked[best.row].tolist(), best.rank.tolist(), best.item_idx.tolist(), strict=True)
    )
    assert [row["score"] for row in rows] == pytest.approx(best.score.tolist(), abs=1e-5)
    liked = np.bincount(RATINGS.item_idx[RATINGS.rating >= 3.0], minlength=9)
    if model.items.bias.max() <= 1:  # a share, not a planted bias
        of_new = [row["item_idx"] for row in rows if row["user_idx"] == NEW]
        assert of_new == np.argsort(-liked, kind="stable")[:4].tolist()  # whom it does not know gets what is popular
