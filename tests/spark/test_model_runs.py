"""Runs: a trained model is found again, and is the same."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from nightreel.errors import ConfigurationError, TableError
from nightreel.models import Capability, FactorModel, runs
from nightreel.models.classical.biases import PopularParams
from nightreel.settings import TablesSettings
from nightreel.tables.tables import Tables

QUOTED = 'o\'clock \\ "x"'
PARAMS = PopularParams(min_rating=3.5)
SIDE = "{}_idx int, bias float, factors array<float>, mean_rating float"
AWAY = timezone(timedelta(hours=5, minutes=30))


def model_of(spark: SparkSession, *, algorithm: str, bias: float) -> FactorModel:
    def side(name: str, rows: list[tuple[Any, ...]]) -> DataFrame:
        return spark.createDataFrame(rows, SIDE.format(name))

    return FactorModel(
        algorithm=algorithm,
        users=side("user", [(0, bias, [1.0, 0.0], 3.0), (1, 0.0, [0.5, 2.0], 4.0)]),
        items=side("item", [(0, 0.25, [1.0, 1.0], 3.5)]),
        mean=3.1,
        global_mean=3.4,
        rank=2,
        capabilities=frozenset({Capability.PREDICT, Capability.SIMILAR}),
    )


def save(tables: Tables, run_id: str, night: date, *, algorithm: str = "als", bias: float = 0.5) -> runs.Run:
    start = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=AWAY)
    return runs.save(
        tables,
        model_of(tables.spark, algorithm=algorithm, bias=bias),
        run_id=run_id,
        run_date=night,
        params=PARAMS,
        seed=-7,
        interactions_version=3,
        prepare_id="a prepare",
        started_at=start,
        finished_at=start + timedelta(minutes=1),
        code_version="0.1.0",
    )


@pytest.fixture(scope="module")
def tables(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Tables:
    settings = TablesSettings(root=str(tmp_path_factory.mktemp("runs")), catalog="", dataset="d")
    tables = Tables(spark, settings)
    with pytest.raises(TableError, match="no such table; train writes it"):
        runs.find(tables, model="als")
    save(tables, "first", date(2026, 1, 1))
    save(tables, QUOTED, date(2026, 1, 2), bias=1.0)
    save(tables, QUOTED, date(2026, 1, 2), bias=2.0)
    return tables


def test_a_loaded_model_answers_as_the_saved_one_did(tables: Tables) -> None:
    loaded = runs.load(tables, runs.find(tables, run_id=QUOTED))
    assert isinstance(loaded, FactorModel)
    saved = model_of(tables.spark, algorithm="als", bias=2.0)
    assert (loaded.algorithm, loaded.header()) == ("als", saved.header())
    assert sorted(loaded.users.collect()) == sorted(saved.users.collect())
    pairs = tables.spark.createDataFrame([(0, 0)], "user_idx int, item_idx int")
    row = loaded.predict(pairs).first()
    assert row is not None
    assert row["prediction"] == pytest.approx(3.1 + 2.0 + 0.25 + 1.0)


def test_saving_a_run_again_replaces_it_and_no_other(tables: Tables) -> None:
    assert sorted(row["run_id"] for row in tables.read("gold_runs").collect()) == sorted(["first", QUOTED])
    biases = tables.read("gold_user_factors").where("user_idx = 0").collect()
    assert {row["run_id"]: row["bias"] for row in biases} == {"first": 0.5, QUOTED: 2.0}


def test_the_newest_night_is_found(tables: Tables) -> None:
    assert runs.find(tables, model="als").run_id == QUOTED
    first = runs.find(tables, run_date=date(2026, 1, 1))
    assert first.run_id == "first"
    assert (first.params, first.seed, first.interactions_version) == ({"min_rating": 3.5}, -7, 3)
    assert first.started_at == datetime(2026, 1, 1, 21, 34, 5, 678901, tzinfo=UTC)
    assert first.header["mean"] == 3.1


@pytest.mark.parametrize("wanted", [{"model": "baseline"}, {"run_id": "f'"}, {"run_date": date(2025, 1, 1)}])
def test_what_was_never_trained_is_told_the_runs_there_are(tables: Tables, wanted: dict[str, Any]) -> None:
    ((name, value),) = wanted.items()
    with pytest.raises(ConfigurationError) as raised:
        runs.find(tables, **wanted)
    assert str(raised.value) == f"no finished run with {name} {value}; there are: {QUOTED}, first"


def test_a_runs_id_follows_from_its_night_and_its_parts() -> None:
    night = date(2026, 1, 2)
    same = runs.new_run_id(night, "als", PARAMS, 42, {"b": 1, "a": 2})
    assert same == runs.new_run_id(night, "als", PopularParams(min_rating=3.5), 42, {"a": 2, "b": 1})
    assert same.startswith("2026-01-02-als-")
    others = [
        runs.new_run_id(night, "als", PARAMS, 43, {"b": 1, "a": 2}),
        runs.new_run_id(night, "popular", PARAMS, 42, {"b": 1, "a": 2}),
        runs.new_run_id(date(2026, 1, 3), "als", PARAMS, 42, {"b": 1, "a": 2}),
    ]
    assert len({same, *others}) == 4
