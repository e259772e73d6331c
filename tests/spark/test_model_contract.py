"""What every registered model must do, whatever its algorithm."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from nightreel.errors import CapabilityError
from nightreel.models import (
    HYPERPARAMETERS,
    Capability,
    FactorModel,
    NetworkModel,
    Surroundings,
    TrainedModel,
    create,
    names,
)
from nightreel.settings import load
from nightreel.tables.schemas import SCHEMAS

NETWORKS = ("mf", "mf_bias", "deep", "ncf", "neumf", "hybrid")
TEXT = "item_idx int, terms array<int>, weights array<float>"
USERS, ITEMS = 24, 9
NEW = 1000
"""An index no model knows."""
UNRATED_BUT_ONE = USERS
"""A user who rated every item but the last."""

EXPECTED_TO = {
    "user_mean": {Capability.PREDICT},
    "item_mean": {Capability.PREDICT, Capability.RECOMMEND},
    "mean_of_means": {Capability.PREDICT, Capability.RECOMMEND},
    "weighted_mean": {Capability.PREDICT, Capability.RECOMMEND},
    "baseline": {Capability.PREDICT, Capability.RECOMMEND},
    "popular": {Capability.RECOMMEND},
    "als": {Capability.PREDICT, Capability.RECOMMEND, Capability.SIMILAR},
    "als_implicit": {Capability.RECOMMEND, Capability.SIMILAR},
} | {name: set(Capability) for name in NETWORKS}


def ratings() -> list[tuple[int, int, float]]:
    """Long-tailed: item 0 is rated by all, item 8 by few; ratings 1..5."""
    random = np.random.default_rng(7)
    rows = [
        (user, item, float(random.integers(1, 6)))
        for user in range(USERS)
        for item in range(ITEMS)
        if random.random() < 1 - item / (ITEMS + 2) or item == user % ITEMS
    ]
    return rows + [(UNRATED_BUT_ONE, item, 5.0) for item in range(ITEMS - 1)]


def frame(spark: SparkSession, rows: Iterable[tuple[Any, ...]]) -> DataFrame:
    return spark.createDataFrame(list(rows), "user_idx int, item_idx int, rating float")


def in_this_process(_: SparkSession, spec: Any, __: object) -> str:
    """Trains a network without TorchDistributor, whose processes take seconds to start."""
    from nightreel.neural.training.train import train

    return train(spec).model_dump_json()


def train(name: str, interactions: DataFrame, folder: Path) -> FactorModel | NetworkModel:
    """With few and small steps; the rows are collected, so that a question does not train the model anew."""
    quick = [f"models.{model}={{iterations = 2, blocks = 2, rank = 4}}" for model in ("als", "als_implicit")]
    quick += ["models.als.baseline.iterations=2", "models.baseline.iterations=2", "models.als_implicit.min_rating=1.0"]
    quick += [f"models.{name}.training.epochs=2" for name in NETWORKS]
    settings = load("local", quick, models=HYPERPARAMETERS)
    spark = interactions.sparkSession
    words = spark.createDataFrame([(0, [0, 2], [0.6, 0.8]), (3, [1], [1.0])], TEXT)
    beside = Surroundings(folder=str(folder), scale=settings.scale, launch=settings.neural, item_text=words)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nightreel.neural.launcher.launch", in_this_process)
        model = create(name, settings).fit(interactions, seed=11, beside=beside)
    assert isinstance(model, FactorModel | NetworkModel)
    return replace(model, users=collected(model.users), items=collected(model.items))


def collected(side: DataFrame) -> DataFrame:
    return side.sparkSession.createDataFrame(side.collect(), side.schema)


@pytest.fixture(scope="module")
def interactions(spark: SparkSession) -> DataFrame:
    return frame(spark, ratings())


@pytest.fixture(scope="module", params=names())
def model(
    request: pytest.FixtureRequest, interactions: DataFrame, tmp_path_factory: pytest.TempPathFactory
) -> TrainedModel:
    return train(request.param, interactions, tmp_path_factory.mktemp(request.param))


def needs(model: TrainedModel, capability: Capability) -> None:
    if capability not in model.capabilities:
        pytest.skip(f"{model.algorithm} does not {capability}")


class TestEveryModel:
    def test_can_what_its_form_allows(self, model: TrainedModel, interactions: DataFrame) -> None:
        assert model.capabilities == EXPECTED_TO[model.algorithm]
        questions = {
            Capability.PREDICT: lambda: model.predict(interactions),
            Capability.RECOMMEND: lambda: model.recommend(interactions, n=1, seen=interactions),
            Capability.SIMILAR: lambda: model.similar(n=1),
        }
        for capability in set(Capability) - model.capabilities:
            with pytest.raises(CapabilityError, match=f"^model {model.algorithm} cannot {capability}; it can: "):
                questions[capability]()

    def test_predicts_every_pair_and_falls_back_where_it_must(self, spark: SparkSession, model: TrainedModel) -> None:
        needs(model, Capability.PREDICT)
        asked = [(3, 0), (3, 0), (3, NEW), (NEW, 0), (NEW, NEW), (None, 0), (3, None), (None, None)]
        pairs = spark.createDataFrame(
            [(place, *pair) for place, pair in enumerate(asked)], "`odd.name` int, user_idx int, item_idx int"
        )
        predicted = model.predict(pairs)
        assert predicted.dtypes == [*pairs.dtypes, ("prediction", "float"), ("cold", "boolean")]
        rows = sorted(predicted.collect())
        assert [(row["user_idx"], row["item_idx"]) for row in rows] == asked
        assert [row["cold"] for row in rows] == [False, False] + [True] * 6
        of_user = np.mean([rating for user, _, rating in ratings() if user == 3])
        of_item = np.mean([rating for _, item, rating in ratings() if item == 0])
        of_all = np.mean([rating for _, _, rating in ratings()])
        expected = [of_user, of_item, of_all, of_item, of_user, of_all]
        assert [row["prediction"] for row in rows[2:]] == pytest.approx(expected, abs=1e-5)
        assert rows[0]["prediction"] == rows[1]["prediction"]
        assert 0 < rows[0]["prediction"] < 6

    def test_recommends_the_best_of_what_is_left(
        self, spark: SparkSession, model: TrainedModel, interactions: DataFrame
    ) -> None:
        needs(model, Capability.RECOMMEND)
        asked = [0, 1, UNRATED_BUT_ONE, NEW]
        users = spark.createDataFrame([(user,) for user in asked], "user_idx int")
        recommended = model.recommend(users, n=3, seen=interactions)
        assert recommended.dtypes == [("user_idx", "int"), ("rank", "int"), ("item_idx", "int"), ("score", "float")]
        rows = recommended.orderBy("user_idx", "rank").collect()
        seen = {(user, item) for user, item, _ in ratings()}
        for user in asked:
            own = [row for row in rows if row["user_idx"] == user]
            left = sum((user, item) not in seen for item in range(ITEMS))
            assert [row["rank"] for row in own] == list(range(1, min(3, left) + 1))
            assert not seen & {(user, row["item_idx"]) for row in own}
            order = [(-row["score"], row["item_idx"]) for row in own]
            assert order == sorted(order)
        assert [row["item_idx"] for row in rows if row["user_idx"] == UNRATED_BUT_ONE] == [ITEMS - 1]

    def test_ranks_for_a_user_it_does_not_know_as_for_the_average_one(
        self, spark: SparkSession, model: TrainedModel
    ) -> None:
        needs(model, Capability.RECOMMEND)
        if isinstance(model, NetworkModel):
            pytest.skip("of a network the average user is not the average of the scores")
        users = spark.createDataFrame([(user,) for user in [*range(USERS + 1), NEW]], "user_idx int")
        rows = model.recommend(users, n=ITEMS, seen=frame(spark, [])).collect()
        scores: dict[int, list[float]] = {item: [] for item in range(ITEMS)}
        for row in rows:
            if row["user_idx"] != NEW:
                scores[row["item_idx"]].append(row["score"])
        of_new = {row["item_idx"]: row["score"] for row in rows if row["user_idx"] == NEW}
        known = {item: float(np.mean(of_item)) for item, of_item in scores.items() if of_item}
        assert of_new == pytest.approx(known, abs=1e-4)

    def test_scores_as_it_predicts(self, spark: SparkSession, model: TrainedModel) -> None:
        needs(model, Capability.RECOMMEND)
        needs(model, Capability.PREDICT)
        nothing = frame(spark, [])
        recommended = model.recommend(frame(spark, [(2, 0, 0.0)]), n=ITEMS, seen=nothing)
        rows = model.predict(recommended).collect()
        assert len(rows) == ITEMS
        assert [row["score"] for row in rows] == pytest.approx([row["prediction"] for row in rows], abs=1e-4)

    def test_finds_similar_items_but_never_the_item_itself(self, model: TrainedModel) -> None:
        needs(model, Capability.SIMILAR)
        similar = model.similar(n=4)
        assert similar.columns == ["item_idx", "rank", "similar_item_idx", "similarity"]
        rows = similar.orderBy("item_idx", "rank").collect()
        assert [(row["item_idx"], row["rank"]) for row in rows] == [(i, r) for i in range(ITEMS) for r in (1, 2, 3, 4)]
        assert all(row["item_idx"] != row["similar_item_idx"] for row in rows)
        assert all(-1.001 <= row["similarity"] <= 1.001 for row in rows)

    def test_is_the_same_model_after_its_form_was_kept(self, model: TrainedModel) -> None:
        assert isinstance(model, FactorModel | NetworkModel)
        header = json.loads(json.dumps(model.header()))
        tables = {
            f"{side}s": getattr(model, f"{side}s").select(F.lit("r").alias("run_id"), *gold_columns(side))
            for side in ("user", "item")
        }
        assert contents(type(model).restore(model.algorithm, header, **tables)) == contents(model)

    def test_is_the_same_model_whatever_the_order_of_its_rows(
        self, spark: SparkSession, model: TrainedModel, tmp_path: Path
    ) -> None:
        if model.algorithm in NETWORKS:
            pytest.skip("networks draw the order of their steps from the order of the rows")
        shuffled = frame(spark, np.random.default_rng(1).permutation(np.array(ratings(), dtype=object)).tolist())
        again = train(model.algorithm, shuffled.repartition(5, "rating"), tmp_path)
        assert contents(again) == contents(model)


def gold_columns(side: str) -> list[Column]:
    return [
        F.col(name).cast(kind) for name, kind in SCHEMAS[f"gold_{side}_factors"].columns.items() if name != "run_id"
    ]


def contents(model: TrainedModel) -> tuple[Any, ...]:
    assert isinstance(model, FactorModel | NetworkModel)
    return model.header(), sorted(model.users.collect()), sorted(model.items.collect())
