"""Each algorithm against answers worked out by hand or planted in the data."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from nightreel.errors import DataError
from nightreel.models import HYPERPARAMETERS, FactorModel, create
from nightreel.settings import load

THREE_BY_THREE = [(0, 0, 5.0), (0, 1, 3.0), (1, 0, 4.0), (1, 1, 1.0), (1, 2, 2.0), (2, 2, 3.0)]
"""Global mean 3; user means 4, 7/3, 3; item means 4.5, 2, 2.5."""


def frame(spark: SparkSession, rows: Iterable[tuple[Any, ...]]) -> DataFrame:
    return spark.createDataFrame(list(rows), "user_idx int, item_idx int, rating float").coalesce(1)


def fit(name: str, interactions: DataFrame, **params: Any) -> FactorModel:
    overrides = [f"models.{name}.{key.replace('__', '.')}={value}" for key, value in params.items()]
    model = create(name, load("local", overrides, models=HYPERPARAMETERS)).fit(interactions, seed=5)
    assert isinstance(model, FactorModel)
    return model


def biases(side: DataFrame) -> list[float]:
    return [row[0] for row in side.orderBy(side.columns[0]).select("bias").collect()]


def predictions(model: FactorModel, pairs: DataFrame) -> list[float]:
    return [row[0] for row in model.predict(pairs).orderBy("user_idx", "item_idx").select("prediction").collect()]


@pytest.mark.parametrize(
    ("name", "params", "answers"),
    [
        ("user_mean", {}, [4, 3, 3]),
        ("item_mean", {}, [2.5, 4.5, 2]),
        ("mean_of_means", {}, [(4 + 2.5 + 3) / 3, (3 + 4.5 + 3) / 3, (3 + 2 + 3) / 3]),
        ("weighted_mean", {"prior_weight": 2.0}, [(2 * 2.5 + 2 * 3) / 4, (2 * 4.5 + 2 * 3) / 4, (2 * 2 + 2 * 3) / 4]),
        # Item biases (2 + 1) / 3, (0 - 2) / 3, (-1 + 0) / 3; then user biases (1 + 2/3) / 3, ..., (1/3) / 2.
        (
            "baseline",
            {"user_reg": 1.0, "item_reg": 1.0, "iterations": 1},
            [3 - 1 / 3 + 5 / 9, 3 + 1 + 1 / 6, 3 - 2 / 3 + 1 / 6],
        ),
    ],
)
def test_means_and_biases_by_hand(spark: SparkSession, name: str, params: dict[str, Any], answers: list[float]) -> None:
    model = fit(name, frame(spark, THREE_BY_THREE), **params)
    unrated = frame(spark, [(0, 2, 0.0), (2, 0, 0.0), (2, 1, 0.0)])
    assert predictions(model, unrated) == pytest.approx(answers, abs=1e-6)


def test_baseline_alternates_as_often_as_it_is_told(spark: SparkSession) -> None:
    user, item, rating = (np.array(column) for column in zip(*THREE_BY_THREE, strict=True))
    of_user, of_item = np.zeros(3), np.zeros(3)
    for _ in range(4):
        for k in range(3):
            mine = item == k
            of_item[k] = (rating[mine] - 3 - of_user[user[mine]]).sum() / (0.5 + mine.sum())
        for k in range(3):
            mine = user == k
            of_user[k] = (rating[mine] - 3 - of_item[item[mine]]).sum() / (2 + mine.sum())
    model = fit("baseline", frame(spark, THREE_BY_THREE), user_reg=2.0, item_reg=0.5, iterations=4)
    assert model.mean == pytest.approx(3)
    assert biases(model.users) == pytest.approx(of_user, abs=1e-6)
    assert biases(model.items) == pytest.approx(of_item, abs=1e-6)


def test_popular_counts_the_ratings_that_are_good_enough(spark: SparkSession) -> None:
    interactions = frame(spark, THREE_BY_THREE)
    model = fit("popular", interactions, min_rating=3.0)
    rows = model.recommend(frame(spark, [(2, 0, 0.0)]), n=5, seen=interactions).orderBy("rank").collect()
    assert [(row["item_idx"], row["score"]) for row in rows] == [(0, 2.0), (1, 1.0)]


def planted(random: np.random.Generator) -> tuple[list[tuple[int, int, float]], list[tuple[int, int, float]]]:
    """Two tastes of strength 1, strong biases, noise of 0.1: ratings to learn from and ratings held out."""
    users, items = 60, 40
    taste = random.normal(size=(users, 2)) @ random.normal(size=(items, 2)).T
    level = 3 + random.normal(0, 0.5, (users, 1)) + random.normal(0, 0.5, (1, items))
    ratings = level + taste + random.normal(0, 0.1, (users, items))
    rows = [(user, item, float(ratings[user, item])) for user in range(users) for item in range(items)]
    held_out = random.random(len(rows)) < 0.3
    return (
        [row for row, out in zip(rows, held_out, strict=True) if not out],
        [row for row, out in zip(rows, held_out, strict=True) if out],
    )


def test_als_finds_the_planted_tastes_and_survives_forty_iterations(spark: SparkSession) -> None:
    train, test = planted(np.random.default_rng(3))
    truth = [rating for _, _, rating in test]
    model = fit(
        "als",
        frame(spark, train),
        rank=4,
        reg=0.002,
        iterations=40,
        blocks=2,
        checkpoint_interval=5,
        baseline__iterations=2,
    )
    error = np.array(predictions(model, frame(spark, test))) - truth
    assert np.sqrt(np.mean(error**2)) < 0.13
    below = np.array(predictions(biases_only(model), frame(spark, test))) - truth
    assert np.sqrt(np.mean(below**2)) > 1.0


def biases_only(model: FactorModel) -> FactorModel:
    return FactorModel(
        algorithm="baseline",
        users=model.users,
        items=model.items,
        mean=model.mean,
        global_mean=model.global_mean,
        rank=0,
        capabilities=model.capabilities,
    )


def test_nonnegative_als_has_no_negative_factor(spark: SparkSession) -> None:
    interactions = frame(spark, THREE_BY_THREE)
    model = fit("als", interactions, rank=2, reg=0.01, residuals="false", nonnegative="true", blocks=1)
    lowest = model.users.union(model.items).select(F.array_min("factors").alias("least")).agg(F.min("least")).first()
    assert lowest is not None
    assert lowest[0] >= 0
    truth = [rating for _, _, rating in THREE_BY_THREE]
    assert predictions(model, interactions) == pytest.approx(truth, abs=0.3)


@pytest.mark.parametrize("confidence", ["rating", "count"])
def test_implicit_als_completes_the_checkerboard(spark: SparkSession, confidence: str) -> None:
    """Even users like even items and odd ones odd; each has not yet met one of them, and dislikes one of the others."""
    side = 8
    missing = {user: user for user in range(side)}
    likes = [(user, item, 5.0) for user in range(side) for item in range(user % 2, side, 2) if item != missing[user]]
    dislikes = [(user, (user + 1) % side, 1.0) for user in range(side)]
    interactions = frame(spark, likes + dislikes)
    model = fit("als_implicit", interactions, rank=2, iterations=15, blocks=1, confidence=confidence)
    best = model.recommend(interactions.select("user_idx").distinct(), n=1, seen=interactions)
    assert {row["user_idx"]: row["item_idx"] for row in best.collect()} == missing
    near = model.similar(n=side // 2 - 1).collect()
    assert all((row["item_idx"] + row["similar_item_idx"]) % 2 == 0 for row in near)


@pytest.mark.parametrize("name", ["item_mean", "popular", "als"])
def test_no_ratings_are_refused(spark: SparkSession, name: str) -> None:
    with pytest.raises(DataError, match=r"^no ratings to train on"):
        fit(name, frame(spark, []))


def test_implicit_als_needs_a_positive(spark: SparkSession) -> None:
    with pytest.raises(DataError, match=r"^als_implicit: no training rating of at least min_rating = 6\.0$"):
        fit("als_implicit", frame(spark, THREE_BY_THREE), min_rating=6.0)
