"""A network through the jobs: trained from the tables, then used like any other model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from tests.jobs.conftest import RunJob

from nightreel.sample import generate
from nightreel.settings import load
from nightreel.tables.tables import Tables

DATE = ["--run-date", "2005-12-31"]


@pytest.mark.slow
def test_a_network_is_trained_measured_and_recommends(
    spark: SparkSession, run_job: RunJob, settings_for: Callable[..., list[str]], tmp_path: Path
) -> None:
    generate(tmp_path / "raw", ratings=12_000, seed=7)
    arguments = [*settings_for(tmp_path / "raw"), *DATE, "--set", "neural.device=cpu"]
    epochs = ["--set", "models.ncf.training.epochs=3", "--set", "models.ncf.training.patience=0"]
    for job in (["ingest"], ["prepare"], ["train", "--model", "ncf", *epochs], ["train", "--model", "item_mean"]):
        ended = run_job(*job, *arguments)
        assert ended.code == 0, ended.err
    tables = Tables(spark, load("local", [f"tables.root={tmp_path / 'tables'}"]).tables)
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
    recommended = tables.read("gold_recommendations")
    assert recommended.select("user_id").distinct().count() == tables.read("silver_users").count()
    assert tables.read("gold_similar_items").count() > 0

    again = run_job("train", "--model", "ncf", *epochs, *arguments, "--resume")
    assert again.code == 0
    assert "already done" in again.err


def test_a_network_without_a_folder_is_refused(
    run_job: RunJob, settings_for: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate(tmp_path / "raw", ratings=2_000, seed=7)
    arguments = [*settings_for(tmp_path / "raw"), *DATE]
    assert run_job("ingest", *arguments).code == 0
    assert run_job("prepare", *arguments).code == 0
    monkeypatch.setattr("nightreel.nightly.training._networks", lambda _: None)
    ended = run_job("train", "--model", "ncf", *arguments)
    assert ended.code == 2
    assert "neural.folder" in ended.complaint
