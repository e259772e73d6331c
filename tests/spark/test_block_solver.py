"""The block solver: equal to the training in memory whatever the blocks, to Spark's ALS in its loss, and it goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from nightreel.errors import DataError
from nightreel.models import HYPERPARAMETERS, EpochMetric, TrainingContext, create
from nightreel.models.engine.one_task import FitsArrays
from nightreel.models.forms.arrays import Ratings, Side
from nightreel.models.forms.factors import FactorModel
from nightreel.models.solve import blocks
from nightreel.settings import load

N_USERS, N_ITEMS = 60, 25


def rows() -> np.ndarray[Any, Any]:
    """Of rank 3 and noise; user 59 and item 24 have a single rating."""
    random = np.random.default_rng(5)
    truth = random.normal(size=(N_USERS, 3)) @ random.normal(size=(3, N_ITEMS))
    user, item = np.nonzero(random.random((N_USERS - 1, N_ITEMS - 1)) < 0.4)
    user, item = np.append(user, N_USERS - 1), np.append(item, N_ITEMS - 1)
    rating = np.clip(np.round(3.0 + truth[user, item] + 0.3 * random.normal(size=len(user))), 1, 5)
    return np.column_stack([user, item, rating])


@pytest.fixture(scope="module")
def interactions(spark: SparkSession) -> DataFrame:
    told = [(int(user), int(item), float(rating)) for user, item, rating in rows()]
    return spark.createDataFrame(told, "user_idx int, item_idx int, rating float").localCheckpoint()


def algorithm(model: str, **params: object) -> Any:
    settings = [f"models.{model}.{name}={value}" for name, value in params.items()]
    return create(model, load("local", settings, models=HYPERPARAMETERS))


def context(folder: str = "", **given: Any) -> TrainingContext:
    settings = load("local")
    return TrainingContext(folder=folder, scale=settings.scale, launch=settings.neural, **given)


def sides(model: FactorModel) -> list[Side]:
    return [
        Side.laid_out(rows.toArrow(), f"{name}_idx") for name, rows in (("user", model.users), ("item", model.items))
    ]


FEW_SWEEPS = {"rank": 2, "sweeps": 5, "burn_in": 2, "samples": 2}


@pytest.mark.parametrize(
    ("model", "how"),
    [
        ("als_block", {"rank": 4, "iterations": 4}),
        ("als_implicit", {"rank": 4, "iterations": 4}),
        ("als_implicit", {"rank": 40, "iterations": 4}),
        ("bayes_mf", FEW_SWEEPS),
        ("bayes_mf", FEW_SWEEPS | {"links": "false"}),
    ],
)
def test_any_number_of_blocks_gives_what_training_in_memory_gives(
    model: str, how: dict[str, Any], interactions: DataFrame, tmp_path: Path
) -> None:
    user, item, rating = rows().T
    here = algorithm(model, **how)
    assert isinstance(here, FitsArrays)
    expected: Any = here.fit_arrays(Ratings.of(user.astype(int), item.astype(int), rating), seed=3)
    for n_blocks, folder in ((0, ""), (1, ""), (3, str(tmp_path / "shared"))):
        found = algorithm(model, **how, blocks=n_blocks).fit(interactions, seed=3, context=context(folder))
        for told, side in zip(sides(found), (expected.users, expected.items), strict=True):
            assert told.factors == pytest.approx(
                side.factors[: len(told.factors)], abs=2e-3 if model == "bayes_mf" else 2e-4
            )
            assert told.bias == pytest.approx(side.bias[: len(told.bias)], abs=1e-4)
            assert (told.known == side.known[: len(told.known)]).all()
    assert list((tmp_path / "shared").iterdir()) == []


def test_the_loss_falls_and_is_that_of_spark_ml(interactions: DataFrame) -> None:
    kept = list[EpochMetric]()
    how = {"rank": 2, "iterations": 30, "residuals": "false"}
    ours = algorithm("als_block", **how).fit(interactions, seed=3, context=context(keep_history=kept.extend))
    losses = [metric.value for metric in kept if metric.metric.startswith("loss@epoch")]
    assert len(losses) == 30 and losses == sorted(losses, reverse=True)
    assert losses[-1] == pytest.approx(_loss(ours, reg=0.15), rel=1e-4)
    theirs = algorithm("als", **how).fit(interactions, seed=3)
    assert losses[-1] == pytest.approx(_loss(theirs, reg=0.15), rel=1e-3)


def _loss(model: FactorModel, *, reg: float) -> float:
    user, item, rating = rows().T
    users, items = sides(model)
    told = np.einsum("ij,ij->i", users.factors[user.astype(int)], items.factors[item.astype(int)])
    penalties = (
        np.bincount(index.astype(int)) @ (side.factors.astype(float) ** 2).sum(axis=1)
        for index, side in ((user, users), (item, items))
    )
    return float(((rating - told) ** 2).sum() + reg * sum(penalties))


def test_a_training_goes_on_from_an_earlier_one(interactions: DataFrame) -> None:
    def losses(iterations: int, **given: Any) -> tuple[list[float], FactorModel]:
        kept = list[EpochMetric]()
        trained = algorithm("als_block", rank=4, iterations=iterations).fit(
            interactions, seed=3, context=context(keep_history=kept.extend, **given)
        )
        return [metric.value for metric in kept if metric.split == "train"], trained

    cold, trained = losses(8)
    warm, _ = losses(1, earlier=trained)
    assert warm[0] < cold[-1]
    fewer_items = trained.__class__(**{**vars(trained), "items": trained.items.where("item_idx < 20")})
    assert cold[0] > losses(1, earlier=fewer_items)[0][0] > warm[0]


def test_it_stops_when_validation_rows_are_told_no_better(interactions: DataFrame) -> None:
    kept = list[EpochMetric]()
    held_out = interactions.where("(user_idx + item_idx) % 5 = 0")
    trained = algorithm("als_block", rank=4, reg=0.1, iterations=40, patience=2).fit(
        interactions.exceptAll(held_out), seed=3, context=context(validation=held_out, keep_history=kept.extend)
    )
    errors = [metric.value for metric in kept if metric.metric.startswith("rmse@epoch")]
    assert 3 <= len(errors) < 40
    best = min(errors)
    assert errors[-3:] != sorted(errors[-3:], reverse=True) and errors[-3] == best
    told = trained.predict(held_out).where(~F.col("cold"))
    rmse = told.select(F.sqrt(F.avg((F.col("rating") - F.col("prediction")) ** 2))).collect()[0][0]
    assert rmse == pytest.approx(best, rel=1e-3)


def test_more_vectors_than_a_driver_holds_are_refused(interactions: DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "MOST_FLOATS", 100)
    with pytest.raises(DataError, match=r"^60 users of rank 4: their vectors would"):
        algorithm("als_block", rank=4).fit(interactions, seed=3)
