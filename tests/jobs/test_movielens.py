"""Real ratings, MovieLens latest-small, from the files to the metrics."""

from __future__ import annotations

from pathlib import Path

from pyspark.sql import SparkSession
from tests.jobs.conftest import RunJob, SettingsFor

from nightreel.settings import load
from nightreel.tables.tables import Tables

MEANS = ("user_mean", "item_mean", "mean_of_means", "weighted_mean")


def test_als_is_below_the_baseline_and_the_baseline_below_every_mean(
    spark: SparkSession, run_job: RunJob, settings_for: SettingsFor, tmp_path: Path, real_data: Path
) -> None:
    settings = settings_for(
        real_data / "ml-latest-small",
        data__source="movielens",
        filter__min_ratings_per_user="0",
        filter__min_ratings_per_item="0",
        split__validation_share="0.0",
        models__als__blocks="2",
    )
    models = [word for name in (*MEANS, "baseline", "als") for word in ("--model", name)]
    for job in (["ingest"], ["prepare"], ["train", *models], ["evaluate", *models]):
        ended = run_job(*job, *settings)
        assert ended.code == 0, ended.err
    chosen = load("local", ["data.source=movielens", f"tables.root={tmp_path / 'tables'}"])
    tables = Tables(spark, chosen.tables)
    assert tables.read("bronze_ratings").count() == 100_836
    assert tables.read("bronze_quarantine").count() == 0
    assert tables.read("bronze_items").count() == 9_742
    assert tables.read("silver_items").count() == 9_724
    rmse = {row["model"]: row["value"] for row in tables.read("gold_metrics").where("metric = 'rmse'").collect()}
    assert rmse["als"] < rmse["baseline"] < min(rmse[name] for name in MEANS)
    assert 0.82 < rmse["als"] < 0.88
