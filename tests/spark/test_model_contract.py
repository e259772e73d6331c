"""What every registered model must do, whatever its algorithm. A question is asked of many models in one query."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial, reduce
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from nightreel.errors import CapabilityError
from nightreel.models import (
    HYPERPARAMETERS,
    Capability,
    FactorModel,
    NeighbourModel,
    NetworkModel,
    TrainedModel,
    TrainingContext,
    create,
)
from nightreel.models.classical.item_weights import ItemCosine
from nightreel.models.forms.arrays import Ratings, Side
from nightreel.models.forms.blend import ListBlend, RatingBlend
from nightreel.models.forms.network_arrays import network_arrays
from nightreel.settings import load
from nightreel.tables import SCHEMAS

Trained: TypeAlias = FactorModel | NeighbourModel | NetworkModel | RatingBlend | ListBlend
Models: TypeAlias = Mapping[str, Trained]
NETWORKS = ("mf", "mf_bias", "deep", "ncf", "neumf", "hybrid")
TEXT = "item_idx int, terms array<int>, weights array<float>"
USERS, ITEMS = 24, 9
NEW = 1000
"""An index no model knows."""
RANKERS = ("als_implicit", "ease", "item_cosine", "user_cosine", "content", "bpr", "warp", "blend_lists")
"""They learn from ratings of at least min_rating."""

UNRATED_BUT_ONE = USERS
"""A user who rated every item but the last."""
ASKED_PAIRS = [(3, 0), (3, 0), (3, NEW), (NEW, 0), (NEW, NEW), (None, 0), (3, None), (None, None)]
ASKED_USERS = [0, 1, UNRATED_BUT_ONE, NEW]

EXPECTED_TO = {
    "user_mean": {Capability.PREDICT},
    "item_mean": {Capability.PREDICT, Capability.RECOMMEND},
    "mean_of_means": {Capability.PREDICT, Capability.RECOMMEND},
    "weighted_mean": {Capability.PREDICT, Capability.RECOMMEND},
    "baseline": {Capability.PREDICT, Capability.RECOMMEND},
    "popular": {Capability.RECOMMEND},
    "random": {Capability.PREDICT},
    "baseline_sgd": {Capability.PREDICT, Capability.RECOMMEND},
    "svd": set(Capability),
    "funk_svd": set(Capability),
    "svd_pp": set(Capability),
    "nmf": set(Capability),
    "user_knn": {Capability.PREDICT},
    "item_knn": {Capability.PREDICT, Capability.SIMILAR},
    "slope_one": {Capability.PREDICT},
    "co_clustering": {Capability.PREDICT, Capability.RECOMMEND},
    "als": {Capability.PREDICT, Capability.RECOMMEND, Capability.SIMILAR},
    "als_block": {Capability.PREDICT, Capability.RECOMMEND, Capability.SIMILAR},
    "als_implicit": {Capability.RECOMMEND, Capability.SIMILAR},
    "bayes_mf": set(Capability),
    "ease": {Capability.RECOMMEND, Capability.SIMILAR},
    "item_cosine": {Capability.RECOMMEND, Capability.SIMILAR},
    "user_cosine": {Capability.RECOMMEND},
    "content": {Capability.RECOMMEND, Capability.SIMILAR},
    "bpr": {Capability.RECOMMEND, Capability.SIMILAR},
    "warp": {Capability.RECOMMEND, Capability.SIMILAR},
    "blend": {Capability.PREDICT},
    "blend_lists": {Capability.RECOMMEND, Capability.SIMILAR},
} | {name: set(Capability) for name in NETWORKS}

FOLDED_EXACTLY = (
    *("user_mean", "item_mean", "weighted_mean", "popular", "baseline", "als", "als_block", "als_implicit"),
    *("ease", "item_cosine", "content", "blend", "blend_lists"),
)
"""A user added with the ratings of a trained one is the same."""
FOLDED_NEARLY = ("bayes_mf", "baseline_sgd", "funk_svd", "svd_pp", "nmf", "bpr", "warp", *NETWORKS)
ADDED = 500
"""What the contract adds to a user's index when it adds its ratings again."""


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


def train(models: Iterable[str], interactions: DataFrame, folder: Path) -> Models:
    """With few and small steps."""
    quick = [
        f"models.{model}={{iterations = 2, blocks = 2, rank = 4}}" for model in ("als", "als_block", "als_implicit")
    ]
    quick += ["models.baseline.iterations=2", "training.epochs=2", "models.blend.members=['baseline', 'als']"]
    quick += ["models.bayes_mf={rank = 3, sweeps = 8, burn_in = 4, samples = 3, links = true, blocks = 0}"]
    quick += ["models.svd.rank=4", "models.funk_svd.rank=4", "models.nmf.epochs=10"]
    quick += [f"models.{model}.min_rating=1.0" for model in RANKERS]
    settings = load("local", quick, models=HYPERPARAMETERS)
    words = interactions.sparkSession.createDataFrame(
        [(0, [0, 2], [0.6, 0.8]), (3, [1], [1.0]), (5, [1, 2], [0.6, 0.8])], TEXT
    )
    trained: dict[str, Trained] = {}
    context = TrainingContext(
        folder="",
        scale=settings.scale,
        launch=settings.neural,
        validation=interactions.where("(user_idx + item_idx) % 4 = 0"),
        item_text=words,
        trained=trained.__getitem__,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nightreel.neural.launcher.launch", in_this_process)
        for name in models:
            here = replace(context, folder=str(folder / name))
            model = create(name, settings).fit(interactions, seed=11, context=here)
            assert isinstance(model, Trained)
            trained[name] = model
    return trained


class Answer(NamedTuple):
    """One model's answer to a question: its columns' types, and its rows."""

    dtypes: list[tuple[str, str]]
    rows: pa.Table

    def by(self, *keys: str) -> list[dict[str, Any]]:
        return sorted(self.rows.to_pylist(), key=lambda row: [row[key] for key in keys])


Answers: TypeAlias = Mapping[str, Answer]


_ASKED_AT_ONCE = 10


def ask(models: Models, question: Callable[[Any], DataFrame], *needed: Capability) -> Answers:
    """The answers of the models that have what is needed, in a few queries."""
    frames = {name: question(model) for name, model in models.items() if model.capabilities >= set(needed)}
    named = [answer.select(F.lit(name).alias("_model"), "*") for name, answer in frames.items()]
    # Each join of a model is a broadcast: those of all models at once do not fit the session's memory.
    parts = [named[start : start + _ASKED_AT_ONCE] for start in range(0, len(named), _ASKED_AT_ONCE)]
    together = partial(DataFrame.unionByName, allowMissingColumns=True)
    answers = [reduce(together, part).toArrow() for part in parts]
    rows = pa.concat_tables(answers, promote_options="permissive")  # they differ in what may be null
    return {
        name: Answer(answer.dtypes, rows.filter(pc.equal(rows["_model"], name)).select(answer.columns))
        for name, answer in frames.items()
    }


def parts(models: Models) -> dict[str, Answers]:
    """By a part's name, of the models that have it, its rows."""
    return {part: ask_those_with(part, models) for part in KEYS}


def ask_those_with(part: str, models: Models) -> Answers:
    return ask(
        {name: model for name, model in models.items() if hasattr(model, part)}, lambda model: getattr(model, part)
    )


KEYS = {"users": "user_idx", "items": "item_idx", "table": "idx"}


def contents(models: Models) -> dict[str, tuple[Any, ...]]:
    found = parts(models)
    return {
        name: (model.header(), *(rows[name].by(KEYS[part]) for part, rows in found.items() if name in rows))
        for name, model in models.items()
    }


@pytest.fixture(scope="module")
def interactions(spark: SparkSession) -> DataFrame:
    return frame(spark, ratings())


@pytest.fixture(scope="module")
def models(spark: SparkSession, interactions: DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Models:
    """Their rows are collected, so that a question does not train a model anew."""
    trained = train(HYPERPARAMETERS, interactions, tmp_path_factory.mktemp("models"))
    collected: dict[str, dict[str, DataFrame]] = {}
    for part, answers in parts(trained).items():
        for name, answer in answers.items():
            schema = getattr(trained[name], part).schema
            collected.setdefault(name, {})[part] = spark.createDataFrame(answer.rows, schema)
    return {name: replace(model, **collected.get(name, {})) for name, model in trained.items()}


@pytest.fixture(scope="module")
def pairs(spark: SparkSession) -> DataFrame:
    rows = [(place, *pair) for place, pair in enumerate(ASKED_PAIRS)]
    return spark.createDataFrame(rows, "`odd.name` int, user_idx int, item_idx int")


@pytest.fixture(scope="module")
def predicted(models: Models, pairs: DataFrame) -> Answers:
    return ask(models, lambda model: model.predict(pairs), Capability.PREDICT)


@pytest.fixture(scope="module")
def recommended(spark: SparkSession, models: Models, interactions: DataFrame) -> Answers:
    users = spark.createDataFrame([(user,) for user in ASKED_USERS], "user_idx int")
    return ask(models, lambda model: model.recommend(users, n=3, seen=interactions), Capability.RECOMMEND)


@pytest.fixture(scope="module")
def recommended_to_all(spark: SparkSession, models: Models) -> Answers:
    users = spark.createDataFrame([(user,) for user in [*range(USERS + 1), NEW]], "user_idx int")
    nothing = frame(spark, [])
    return ask(models, lambda model: model.recommend(users, n=ITEMS, seen=nothing), Capability.RECOMMEND)


@pytest.fixture(scope="module")
def recommended_and_predicted(spark: SparkSession, models: Models, recommended_to_all: Answers) -> Answers:
    def predicted(model: TrainedModel) -> DataFrame:
        rows = recommended_to_all[model.algorithm].rows
        return model.predict(spark.createDataFrame(rows.filter(pc.equal(rows["user_idx"], 2))))

    return ask(models, predicted, Capability.RECOMMEND, Capability.PREDICT)


@pytest.fixture(scope="module")
def with_added(models: Models, interactions: DataFrame) -> Models:
    """The models that add users, for the same users under other indices."""
    others = interactions.select((F.col("user_idx") + ADDED).alias("user_idx"), "item_idx", "rating")
    return {name: models[name].with_users(others) for name in (*FOLDED_EXACTLY, *FOLDED_NEARLY)}  # type: ignore[misc]


@pytest.fixture(scope="module")
def predicted_to_added(spark: SparkSession, with_added: Models) -> Answers:
    pairs = spark.createDataFrame(
        [(ADDED + user, item) for user in (3, 4) for item in range(ITEMS)], "user_idx int, item_idx int"
    )
    return ask(with_added, lambda model: model.predict(pairs), Capability.PREDICT)


@pytest.fixture(scope="module")
def predicted_to_trained(spark: SparkSession, models: Models) -> Answers:
    pairs = spark.createDataFrame(
        [(user, item) for user in (3, 4) for item in range(ITEMS)], "user_idx int, item_idx int"
    )
    return ask(models, lambda model: model.predict(pairs), Capability.PREDICT)


@pytest.fixture(scope="module")
def recommended_to_added(spark: SparkSession, with_added: Models) -> Answers:
    users = spark.createDataFrame([(ADDED + user,) for user in range(USERS + 1)], "user_idx int")
    return ask(with_added, lambda model: model.recommend(users, n=ITEMS, seen=frame(spark, [])), Capability.RECOMMEND)


@pytest.fixture(scope="module")
def similar(models: Models) -> Answers:
    return ask(models, lambda model: model.similar(n=4), Capability.SIMILAR)


@pytest.fixture(scope="module")
def found(models: Models) -> dict[str, tuple[Any, ...]]:
    return contents(models)


@pytest.fixture(scope="module")
def restored(models: Models) -> dict[str, tuple[Any, ...]]:
    """From the header as JSON and the columns as gold tables have them."""
    return contents({name: restore(model) for name, model in models.items()})


@pytest.fixture(scope="module")
def trained_on_shuffled_rows(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[Any, ...]]:
    shuffled = frame(spark, np.random.default_rng(1).permutation(np.array(ratings(), dtype=object)).tolist())
    folder = tmp_path_factory.mktemp("shuffled")
    names = [name for name in HYPERPARAMETERS if name not in NETWORKS]
    with pytest.MonkeyPatch.context() as patch:  # tables of neighbours by two tasks, and the cosines by sparse products
        patch.setattr("nightreel.models.engine.one_task._RATINGS_A_TASK", 1)
        patch.setattr(ItemCosine, "most_dense_items", 0)
        return contents(train(names, shuffled.repartition(5, "rating"), folder))


def restore(model: Trained) -> Trained:
    tables = {"users": "gold_user_factors", "items": "gold_item_factors", "table": "gold_neighbours"}
    kept = {part: gold(getattr(model, part), table) for part, table in tables.items() if hasattr(model, part)}
    header = json.loads(json.dumps(model.header()))
    if isinstance(model, NeighbourModel):
        return NeighbourModel.restore(model.algorithm, header, **kept, ratings=model.ratings)
    if isinstance(model, RatingBlend | ListBlend):
        return type(model).restore(model.algorithm, header, **kept, members=model.members)
    return type(model).restore(model.algorithm, header, **kept)


def gold(part: DataFrame, table: str) -> DataFrame:
    columns = [F.col(name).cast(kind) for name, kind in SCHEMAS[table].columns.items() if name != "run_id"]
    return part.select(F.lit("r").alias("run_id"), *columns)


@pytest.fixture
def model(models: Models, name: str) -> TrainedModel:
    return models[name]


def needs(model: TrainedModel, capability: Capability) -> None:
    if capability not in model.capabilities:
        pytest.skip(f"{model.algorithm} does not {capability}")


@pytest.mark.parametrize("name", HYPERPARAMETERS)
class TestEveryModel:
    def test_can_what_its_form_allows(self, name: str, model: TrainedModel, interactions: DataFrame) -> None:
        assert model.capabilities == EXPECTED_TO[name]
        questions = {
            Capability.PREDICT: lambda: model.predict(interactions),
            Capability.RECOMMEND: lambda: model.recommend(interactions, n=1, seen=interactions),
            Capability.SIMILAR: lambda: model.similar(n=1),
        }
        for capability in set(Capability) - model.capabilities:
            with pytest.raises(CapabilityError, match=f"^model {name} cannot {capability}; it can: "):
                questions[capability]()

    def test_predicts_every_pair_and_falls_back_where_it_must(
        self, name: str, model: TrainedModel, pairs: DataFrame, predicted: Answers
    ) -> None:
        needs(model, Capability.PREDICT)
        told = [("uncertainty", "float")] if model.tells_uncertainty else []
        assert predicted[name].dtypes == [*pairs.dtypes, ("prediction", "float"), ("cold", "boolean"), *told]
        rows = predicted[name].by("odd.name")
        assert [(row["user_idx"], row["item_idx"]) for row in rows] == ASKED_PAIRS
        assert [row["cold"] for row in rows] == [False, False] + [True] * 6
        of_user = np.mean([rating for user, _, rating in ratings() if user == 3])
        of_item = np.mean([rating for _, item, rating in ratings() if item == 0])
        of_all = np.mean([rating for _, _, rating in ratings()])
        expected = [of_user, of_item, of_all, of_item, of_user, of_all]
        if model.tells_uncertainty:  # who is unknown is drawn from the prior, less certainly
            assert [row["prediction"] for row in rows[2:]] == pytest.approx(expected, abs=2.0)
            assert rows[4]["uncertainty"] > rows[0]["uncertainty"] > 0
        else:
            assert [row["prediction"] for row in rows[2:]] == pytest.approx(expected, abs=1e-5)
        again = rows[1]["prediction"]  # of the same pair; networks round the last bit by a row's place in its batch
        assert rows[0]["prediction"] == (pytest.approx(again, abs=1e-6) if isinstance(model, NetworkModel) else again)
        assert 0 < rows[0]["prediction"] < 6

    def test_recommends_the_best_of_what_is_left(self, name: str, model: TrainedModel, recommended: Answers) -> None:
        needs(model, Capability.RECOMMEND)
        expected = [("user_idx", "int"), ("rank", "int"), ("item_idx", "int"), ("score", "float")]
        assert recommended[name].dtypes == expected
        rows = recommended[name].by("user_idx", "rank")
        seen = {(user, item) for user, item, _ in ratings()}
        for user in ASKED_USERS:
            own = [row for row in rows if row["user_idx"] == user]
            left = sum((user, item) not in seen for item in range(ITEMS))
            assert [row["rank"] for row in own] == list(range(1, min(3, left) + 1))
            assert not seen & {(user, row["item_idx"]) for row in own}
            order = [(-row["score"], row["item_idx"]) for row in own]
            assert order == sorted(order)
        assert [row["item_idx"] for row in rows if row["user_idx"] == UNRATED_BUT_ONE] == [ITEMS - 1]

    def test_adds_users_or_says_that_it_cannot(
        self,
        name: str,
        model: TrainedModel,
        interactions: DataFrame,
        recommended_to_all: Answers,
        recommended_to_added: Answers,
        predicted_to_added: Answers,
        predicted_to_trained: Answers,
    ) -> None:
        if name not in (*FOLDED_EXACTLY, *FOLDED_NEARLY):
            with pytest.raises(CapabilityError, match=f"^model {name} cannot take users that it was not trained on"):
                model.with_users(interactions)
            return
        if name in recommended_to_added:
            lists = [
                [(row["user_idx"] - offset, row["rank"], row["item_idx"], round(row["score"], 3)) for row in rows]
                for rows, offset in (
                    (recommended_to_added[name].by("user_idx", "rank"), ADDED),
                    ([row for row in recommended_to_all[name].by("user_idx", "rank") if row["user_idx"] != NEW], 0),
                )
            ]
            assert len(lists[0]) == len(lists[1])
            assert name in FOLDED_NEARLY or lists[0] == lists[1]
        if name in predicted_to_added:
            added, trained = (
                [row["prediction"] for row in rows[name].by("user_idx", "item_idx")]
                for rows in (predicted_to_added, predicted_to_trained)
            )
            assert added == pytest.approx(trained, abs=1e-4 if name in FOLDED_EXACTLY else 2.5)

    def test_a_network_adds_users_as_it_does_in_memory(
        self, name: str, model: TrainedModel, interactions: DataFrame, predicted_to_added: Answers
    ) -> None:
        if not isinstance(model, NetworkModel):
            pytest.skip("not a network")
        rows = interactions.toArrow()
        user, item, rating = (rows[column].to_numpy() for column in ("user_idx", "item_idx", "rating"))
        items = Side.laid_out(model.items.toArrow(), "item_idx")
        here = network_arrays(model.header(), users=items, items=items, user_idx=None)
        here = here.with_users(Ratings.of(user, item, rating))
        asked = predicted_to_added[name].by("user_idx", "item_idx")
        pairs = [np.array([row[column] for row in asked]) for column in ("user_idx", "item_idx")]
        expected = here.predict(pairs[0] - ADDED, pairs[1]).prediction
        assert [row["prediction"] for row in asked] == pytest.approx(expected.tolist(), abs=1e-3)

    def test_ranks_for_a_user_it_does_not_know_as_for_the_average_one(
        self, name: str, model: TrainedModel, recommended_to_all: Answers
    ) -> None:
        needs(model, Capability.RECOMMEND)
        if isinstance(model, NetworkModel):
            pytest.skip("of a network the average user is not the average of the scores")
        if isinstance(model, NeighbourModel | ListBlend):
            pytest.skip("they rank by popularity then; test_neighbours.py")
        rows = recommended_to_all[name].rows.to_pylist()
        scores: dict[int, list[float]] = {item: [] for item in range(ITEMS)}
        for row in rows:
            if row["user_idx"] != NEW:
                scores[row["item_idx"]].append(row["score"])
        of_new = {row["item_idx"]: row["score"] for row in rows if row["user_idx"] == NEW}
        known = {item: float(np.mean(of_item)) for item, of_item in scores.items() if of_item}
        assert of_new == pytest.approx(known, abs=1e-4)

    def test_scores_as_it_predicts(self, name: str, model: TrainedModel, recommended_and_predicted: Answers) -> None:
        needs(model, Capability.RECOMMEND)
        needs(model, Capability.PREDICT)
        rows = recommended_and_predicted[name].rows.to_pylist()
        assert len(rows) == ITEMS
        assert [row["score"] for row in rows] == pytest.approx([row["prediction"] for row in rows], abs=1e-4)

    def test_finds_similar_items_but_never_the_item_itself(
        self, name: str, model: TrainedModel, similar: Answers
    ) -> None:
        needs(model, Capability.SIMILAR)
        assert [column for column, _ in similar[name].dtypes] == ["item_idx", "rank", "similar_item_idx", "similarity"]
        rows = similar[name].by("item_idx", "rank")
        ranks: dict[int, list[int]] = {}
        for row in rows:
            ranks.setdefault(row["item_idx"], []).append(row["rank"])
        if isinstance(model, NeighbourModel):  # as many as it has
            assert ranks and all(of_item == list(range(1, len(of_item) + 1))[:4] for of_item in ranks.values())
        else:
            assert ranks == {item: [1, 2, 3, 4] for item in range(ITEMS)}
        assert all(row["item_idx"] != row["similar_item_idx"] for row in rows)
        assert all(-1.001 <= row["similarity"] <= 1.001 for row in rows)

    def test_is_the_same_model_after_its_form_was_kept(
        self, name: str, found: Mapping[str, Any], restored: Mapping[str, Any]
    ) -> None:
        assert restored[name] == found[name]

    def test_is_the_same_model_whatever_the_order_of_its_rows(
        self, name: str, found: Mapping[str, Any], trained_on_shuffled_rows: Mapping[str, Any]
    ) -> None:
        if name in NETWORKS:
            pytest.skip("networks draw the order of their steps from the order of the rows")
        assert trained_on_shuffled_rows[name] == found[name]
