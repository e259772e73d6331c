"""A whole night: its tables, that the same date twice is the same rows, and a network trained from its tables."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from tests.jobs.conftest import DATE, Ended, RunJob, settings_in

from nightreel.sample import generate
from nightreel.settings import load
from nightreel.tables.tables import Tables

NIGHT = [*DATE, "--set", 'nightly.models=["item_mean", "als"]', "--set", "models.als.blocks=2"]


@dataclass(frozen=True)
class Night:
    """A night on a generated dump: what it printed, the dump, and its tables, for tests to copy."""

    ended: Ended
    raw: Path
    folder: Path


@pytest.fixture(scope="module")
def night(run_job: RunJob, tmp_path_factory: pytest.TempPathFactory) -> Night:
    folder = tmp_path_factory.mktemp("the night")
    generate(folder / "raw dump", ratings=12_000, seed=7, broken_lines=9)
    ended = run_job("nightly", *settings_in(folder, folder / "raw dump"), *NIGHT)
    assert ended.code == 0, ended.err
    return Night(ended=ended, raw=folder / "raw dump", folder=folder)


@pytest.fixture
def arguments(night: Night, tmp_path: Path) -> list[str]:
    """The night's arguments for another job on a copy of its tables, in the test's own folder."""
    shutil.copytree(night.folder / "tables", tmp_path / "tables")
    return [*settings_in(tmp_path, night.raw), *NIGHT]


def tables_in(spark: SparkSession, folder: Path) -> Tables:
    return Tables(spark, load("local", [f"tables.root={folder / 'tables'}"]).tables)


Rows = dict[tuple[object, ...], list[float]]


def rows(frame: DataFrame) -> Rows:
    """The numbers of each row by all else that stands in it."""
    found = frame.collect()
    told = {
        tuple(value for value in row if not isinstance(value, float)): [
            value for value in row if isinstance(value, float)
        ]
        for row in found
    }
    assert len(told) == len(found), "a row twice"
    return told


def check_same(again: Rows, before: Rows) -> None:
    """Trained anew: sums added up in another order differ in their last digits, and change places with their like."""
    assert len(again) == len(before)
    shared = again.keys() & before.keys()
    assert len(shared) >= 0.995 * len(before)
    assert all(again[key] == pytest.approx(before[key], abs=1e-4, nan_ok=True) for key in shared)


def test_a_night_leaves_every_table(spark: SparkSession, night: Night) -> None:
    tables = tables_in(spark, night.folder)
    check_bronze(tables)
    check_silver(tables)
    check_gold(tables)
    check_summary(night.ended)


def test_the_same_date_twice_is_the_same_rows(
    spark: SparkSession, run_job: RunJob, arguments: list[str], tmp_path: Path
) -> None:
    tables = tables_in(spark, tmp_path)
    stable = ("silver_interactions", "gold_metrics", "gold_recommendations", "gold_similar_items")
    before = {name: (tables.version(name), rows(tables.read(name))) for name in stable}

    second = run_job("nightly", *arguments)
    assert second.code == 0, second.err
    assert "already done" in second.err
    assert {name: (tables.version(name), rows(tables.read(name))) for name in stable} == before

    for job in (["evaluate"], ["recommend"]):
        again = run_job(*job, *arguments)
        assert again.code == 0, again.err
    for name, (version, kept) in before.items():
        assert (tables.version(name) == version) == (name == "silver_interactions"), name
        check_same(rows(tables.read(name)), kept)


def check_bronze(tables: Tables) -> None:
    assert tables.read("bronze_ratings").count() == 12_000
    assert tables.read("bronze_quarantine").count() == 9
    file = tables.read("bronze_files").where("path like '%combined%'").collect()
    assert [(row["rows"], row["rejected"]) for row in file] == [(12_000, 9)]


def check_silver(tables: Tables) -> None:
    interactions = tables.read("silver_interactions")
    kept = interactions.count()
    shares = {row["split"]: row["count"] / kept for row in interactions.groupBy("split").count().collect()}
    assert shares["test"] == pytest.approx(0.1, abs=0.02)
    assert shares["validation"] == pytest.approx(0.05, abs=0.02)
    users = tables.read("silver_users")
    assert users.agg(F.max("user_idx") + 1, F.count("*"), F.sum("n_ratings")).first() == (
        users.count(),
        users.count(),
        kept,
    )


def check_gold(tables: Tables) -> None:
    values = {(row["model"], row["metric"]): row["value"] for row in tables.read("gold_metrics").collect()}
    assert values["als", "rmse"] < values["item_mean", "rmse"]
    recommended = tables.read("gold_recommendations")
    per_user = recommended.groupBy("user_id").agg(F.count("*").alias("n"), F.max("rank").alias("last"))
    assert per_user.where("n != last or n > 10").count() == 0
    assert per_user.count() == tables.read("silver_users").count()
    seen = tables.read("silver_interactions").join(tables.read("silver_users"), "user_idx", "inner")
    seen = seen.join(tables.read("silver_items"), "item_idx", "inner").select("user_id", "item_id")
    assert recommended.join(seen, ["user_id", "item_id"], "inner").count() == 0
    assert recommended.where("title is null").count() == 0


def check_summary(ended: Ended) -> None:
    assert "12,009" in ended.out
    assert "rejected" in ended.out.lower()
    assert "als" in ended.out


@pytest.mark.slow
def test_a_network_is_trained_measured_and_recommends(
    spark: SparkSession, run_job: RunJob, arguments: list[str], tmp_path: Path
) -> None:
    """From the night's tables, by the jobs, then used like any other model."""
    arguments += ["--set", "neural.device=cpu"]
    epochs = ["--set", "models.ncf.training.epochs=3", "--set", "models.ncf.training.patience=0"]
    trained = run_job("train", "--model", "ncf", *epochs, *arguments)
    assert trained.code == 0, trained.err
    tables = tables_in(spark, tmp_path)
    run = tables.read("gold_runs").where("model = 'ncf'").collect()[0]
    train_rows = tables.read("silver_interactions").where("split = 'train'").count()
    history = tables.read("gold_metrics").where(F.col("run_id") == run["run_id"])
    losses = {row["metric"]: row["value"] for row in history.where("split = 'validation'").collect()}
    assert set(losses) == {"loss@epoch1", "loss@epoch2", "loss@epoch3"}
    assert {row["rows"] for row in history.where("split = 'train'").collect()} == {train_rows}
    assert list((tmp_path / "tables").glob("netflix/networks/2005-12-31-ncf-*/model.safetensors"))
    assert not list((tmp_path / "tables").glob("netflix/networks/*/rows")), "the snapshot's own files were read"

    models = ["--model", "ncf", "--model", "item_mean"]
    assert run_job("evaluate", *models, *arguments).code == 0
    rmse = {row["model"]: row["value"] for row in tables.read("gold_metrics").where("metric = 'rmse'").collect()}
    assert rmse["ncf"] < rmse["item_mean"]
    assert history.where("metric LIKE 'loss@%' AND split = 'validation'").count() == 3, "evaluate leaves the epochs"

    assert run_job("recommend", "--model", "ncf", *arguments).code == 0
    recommended = tables.read("gold_recommendations").where(F.col("run_id") == run["run_id"])
    assert recommended.select("user_id").distinct().count() == tables.read("silver_users").count()
    assert tables.read("gold_similar_items").where(F.col("run_id") == run["run_id"]).count() > 0

    again = run_job("train", "--model", "ncf", *epochs, *arguments, "--resume")
    assert again.code == 0
    assert "already done" in again.err
