"""A whole night on small dumps: its tables, its resumption, and that the same date twice is the same rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from tests.jobs.conftest import Ended, RunJob

from nightreel.sample import generate
from nightreel.settings import load
from nightreel.tables.tables import Tables

NIGHT = ["--run-date", "2005-12-31", "--set", 'nightly.models=["item_mean", "als"]']


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("raw dump")
    generate(folder, ratings=12_000, seed=7, broken_lines=9)
    return folder


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


@pytest.mark.timeout(1_500)
def test_a_night_leaves_every_table_and_the_same_date_twice_the_same_rows(
    spark: SparkSession, run_job: RunJob, settings_for: Callable[..., list[str]], tmp_path: Path, raw: Path
) -> None:
    arguments = [*settings_for(raw), *NIGHT]
    first = run_job("nightly", *arguments)
    assert first.code == 0, first.err
    tables = Tables(spark, load("local", [f"tables.root={tmp_path / 'tables'}"]).tables)
    check_bronze(tables)
    check_silver(tables)
    check_gold(tables)
    stable = ("silver_interactions", "gold_metrics", "gold_recommendations", "gold_similar_items")
    before = {name: (tables.version(name), rows(tables.read(name))) for name in stable}

    second = run_job("nightly", *arguments)
    assert second.code == 0, second.err
    assert "already done" in second.err
    assert {name: (tables.version(name), rows(tables.read(name))) for name in stable} == before

    again = run_job("nightly", *arguments, "--again")
    assert again.code == 0, again.err
    for name, (_, kept) in before.items():
        check_same(rows(tables.read(name)), kept)
    check_summary(first)


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


def test_a_night_that_stopped_goes_on_where_it_was(
    spark: SparkSession,
    run_job: RunJob,
    settings_for: Callable[..., list[str]],
    tmp_path: Path,
    raw: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from nightreel.models.classical import means

    arguments = [*settings_for(raw), "--run-date", "2005-12-31", "--set", 'nightly.models=["item_mean", "popular"]']
    arguments += ["--set", "recommend.model=item_mean"]
    with monkeypatch.context() as planted:

        def fail(*_: object, **__: object) -> None:
            raise RuntimeError("the lights went out")

        planted.setattr(means.Popular, "fit", fail)
        stopped = run_job("nightly", *arguments)
    assert stopped.code == 1
    assert "the lights went out" in stopped.complaint
    assert "Traceback" not in stopped.err
    tables = Tables(spark, load("local", [f"tables.root={tmp_path / 'tables'}"]).tables)
    runs = {row["model"]: row["finished_at"] for row in tables.read("gold_runs").collect()}
    silver = tables.version("silver_interactions")
    assert set(runs) == {"item_mean"}

    resumed = run_job("nightly", *arguments)
    assert resumed.code == 0, resumed.err
    assert tables.version("silver_interactions") == silver
    after = {row["model"]: row["finished_at"] for row in tables.read("gold_runs").collect()}
    assert after["item_mean"] == runs["item_mean"]
    assert set(after) == {"item_mean", "popular"}
