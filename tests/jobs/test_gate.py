"""Nights that publish only what is better: champions, the gate, rolling back, keeping house, and one job at a time."""

from __future__ import annotations

import argparse
import csv
import json
import random
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from tests.jobs.conftest import Ended, run_here, settings_in

from nightreel import open_store
from nightreel.cli import main
from nightreel.errors import ConfigurationError, TableError
from nightreel.evaluate import hold_out
from nightreel.job import Job
from nightreel.job.lease import lease
from nightreel.models import HYPERPARAMETERS
from nightreel.models.runs import find
from nightreel.nightly import champion, gate, night
from nightreel.sample import generate
from nightreel.settings import load
from nightreel.tables.keeping import clean, put_rows, rollback
from nightreel.tables.snapshot import Snapshot
from nightreel.tables.tables import Tables

MODELS = 'nightly.models=["weighted_mean", "baseline", "popular", "ease"]'
FIRST, SECOND, THIRD = "2026-01-01", "2026-01-03", "2026-01-04"


class Nights:
    """Nights on generated ratings, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root = folder, folder / "tables"
        generate(folder / "raw", format="movielens", ratings=6_000, seed=3, broken_lines=0, duplicates=0)

    def run(self, date: str, *settings: str) -> Ended:
        words = settings_in(self.folder, self.folder / "raw", data__source="movielens", ingest__measure="false")
        for text in (MODELS, *settings):
            words += ["--set", text]
        return run_here("nightly", "--run-date", date, *words)

    @property
    def tables(self) -> Snapshot:
        return Snapshot(str(self.root))

    def champions(self, purpose: str = "lists") -> list[dict[str, Any]]:
        rows = self.tables.dicts("gold_champion", where=f"purpose = '{purpose}'", order="decided_at, decision_id")
        return [row | {"night": str(row["night"]), "since": str(row["since"])} for row in rows]

    def shuffle(self) -> None:
        """Ratings are drawn at random from all of them: nobody's taste is left, and all counts stay."""
        file = self.folder / "raw" / "ratings.csv"
        header, *rows = list(csv.reader(file.open()))
        values = [row[2] for row in rows]
        random.Random(1).shuffle(values)
        with file.open("w", newline="") as out:
            csv.writer(out).writerows(
                [header, *([*row[:2], value, *row[3:]] for row, value in zip(rows, values, strict=True))]
            )


@pytest.fixture(scope="module")
def nights(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Nights:
    """Two nights; before the second, `popular` is made the champion for lists."""
    made = Nights(tmp_path_factory.mktemp("nights"))
    first = made.run(FIRST)
    assert first.code == 0, first.err
    planted = made.champions()[-1] | {"decision_id": "planted", "model": "popular", "decided_at": datetime.now(UTC)}
    planted |= {name: date.fromisoformat(planted[name]) for name in ("night", "since")}
    put_rows(made.tables, "gold_champion", [planted], "decision_id = 'planted'")
    second = made.run(SECOND)
    assert second.code == 0, second.err
    return made


@pytest.fixture
def job(spark: SparkSession, nights: Nights) -> Callable[..., Job]:
    """The job of a night with the settings of the others."""

    def of(run_date: str, *settings: str) -> Job:
        chosen = load(
            "local", [MODELS, "data.source=movielens", f"tables.root={nights.root}", *settings], models=HYPERPARAMETERS
        )
        flags = argparse.Namespace(env="local", set=[], again=False)
        return Job(spark, Tables(spark, chosen.tables), chosen, date.fromisoformat(run_date), flags)

    return of


def test_the_first_night_publishes_lists_and_champions_in_one_commit(nights: Nights) -> None:
    lists, ratings = nights.champions()[0], nights.champions("ratings")[0]
    assert (lists["decision"], lists["model"], lists["night"]) == ("first", "ease", FIRST)
    assert (ratings["decision"], ratings["model"]) == ("first", "baseline")
    assert lists["decided_at"] == ratings["decided_at"]
    figures = json.loads(lists["figures"])
    assert figures["ease"] > figures["popular"]
    gate = nights.tables.dicts("gold_gate", where=f"run_date = DATE '{FIRST}'")
    assert len(gate) >= 9 and all(row["passed"] for row in gate)


def test_a_better_challenger_takes_over_and_a_champion_is_trained_again(nights: Nights) -> None:
    lists, ratings = nights.champions()[2], nights.champions("ratings")[1]
    assert (lists["decision"], lists["model"], lists["since"]) == ("takes over", "ease", SECOND)
    assert json.loads(lists["figures"])["better_by"] > json.loads(lists["figures"])["error"]
    assert (ratings["decision"], ratings["since"]) == ("stays", FIRST)
    assert ratings["run_id"] != nights.champions("ratings")[0]["run_id"]
    store = open_store(str(nights.root))
    user = store.snapshot.dicts("silver_users", where="true LIMIT 1")[0]["user_id"]
    assert store.recommend(user).run_id == lists["run_id"]


def test_a_challenger_that_is_not_better_beyond_the_margin_does_not_take_over(
    nights: Nights, job: Callable[..., Job]
) -> None:
    """By hand: the champion's model is `popular`, and no difference is a thousand standard errors."""
    tonight = job(SECOND, "gate.margin=1000.0")
    runs = [find(tonight.tables, model=model) for model in ("popular", "ease")]
    measured = {run.run_id: {"ndcg@10": value} for run, value in zip(runs, (0.1, 0.2), strict=True)}
    reigning = [row for row in tonight.tables.few("gold_champion") if row["decision_id"] == "planted"]
    with (
        pytest.MonkeyPatch.context() as patch,
        hold_out(tonight.tables.read("silver_interactions"), tonight.settings.evaluate) as held_out,
    ):
        known = {name: reigning[0][name] for name in champion.Serving.__annotations__}
        patch.setattr(champion, "serving", lambda *_: champion.Serving(**known))
        found = champion.decide(tonight, "lists", runs, measured, held_out)
    assert found is not None and (found.decision, found.model) == ("stays", "popular")
    assert "ease is better than popular by 0." in found.reason and "not by 1000 standard errors" in found.reason


def test_a_night_run_again_publishes_nothing_anew_also_after_a_rollback(nights: Nights) -> None:
    before = nights.champions()
    row = rollback(nights.tables)
    assert row["run_id"] == before[0]["run_id"]
    store = open_store(str(nights.root))
    user = store.snapshot.dicts("silver_users", where="true LIMIT 1")[0]["user_id"]
    assert store.recommend(user).run_id == before[0]["run_id"]
    ended = nights.run(SECOND)
    assert ended.code == 0 and "publish: already done" in ended.err
    assert nights.champions()[-1]["decision"] == "rolled back"
    assert main(["rollback", "--to", before[-1]["run_id"], "--tables", str(nights.root)]) == 0
    assert nights.champions()[-1]["run_id"] == before[-1]["run_id"]
    with pytest.raises(ConfigurationError, match="run nonesuch: does not serve lists"):
        rollback(nights.tables, to="nonesuch")


def test_a_past_night_does_not_take_the_place_of_a_newer_one(nights: Nights, job: Callable[..., Job]) -> None:
    before = nights.champions()
    assert night._publish(job("2025-12-31")).notes == [f"not published: the night of {SECOND} serves, which is newer"]
    assert nights.champions() == before


def test_far_fewer_rows_and_other_ratings_do_not_pass(nights: Nights, job: Callable[..., Job]) -> None:
    """Against a planted night before: ten times as many rows, all of them rated 5."""
    tonight = job("2026-01-05")
    passed = {check.name: check for check in gate.data_checks(tonight)}
    assert all(check.passed for check in passed.values()) and passed["share of the last night's rows"].value == 1.0
    rows = nights.tables.count("silver_interactions")
    figures = json.dumps({"rows": 10 * rows, "shares": {"5": 1.0}})
    planted = nights.tables.dicts("gold_gate", where="name = 'share of the last night''s rows' LIMIT 1")[0]
    planted |= {"run_date": date(2026, 1, 4), "figures": figures}
    put_rows(nights.tables, "gold_gate", [planted], "run_date = DATE '2026-01-04'")
    found = {check.name: check for check in gate.data_checks(tonight)}
    assert found["share of the last night's rows"].value == pytest.approx(0.1)
    assert {name for name, check in found.items() if not check.passed} == {
        "share of the last night's rows",
        "shift of the ratings' distribution",
    }
    put_rows(nights.tables, "gold_gate", [], "run_date = DATE '2026-01-04'")


def test_ratings_shuffled_at_random_do_not_pass_and_what_served_still_serves(nights: Nights) -> None:
    before = nights.champions()[-1]
    nights.shuffle()
    ended = nights.run(THIRD)
    assert ended.code == 3
    assert ended.complaint.startswith(f"nightly: the gate refused the night of {THIRD}; what served still serves: ")
    assert "RMSE below the mean rating's, share" in ended.complaint and "refused" in ended.complaint
    after = nights.champions()[-1]
    assert (after["decision"], after["run_id"], after["run_date"]) == ("refused", before["run_id"], before["run_date"])
    failed = nights.tables.dicts("gold_gate", where="NOT passed")
    assert {str(row["run_date"]) for row in failed} == {THIRD}
    store = open_store(str(nights.root))
    user = store.snapshot.dicts("silver_users", where="true LIMIT 1")[0]["user_id"]
    assert store.recommend(user).run_id == before["run_id"]


def test_the_report_shows_who_serves_and_what_the_gate_found(nights: Nights, tmp_path: Path) -> None:
    assert main(["report", "--tables", str(nights.root), "--out", str(tmp_path / "nights.md")]) == 0
    text = (tmp_path / "nights.md").read_text(encoding="utf-8")
    assert "| 2026-01-03 | lists | takes over | ease | 2026-01-03 |" in text
    assert f"### The gate on {THIRD}" in text and "| RMSE below the mean rating's, share |" in text


def test_old_runs_go_and_what_serves_stays(nights: Nights) -> None:
    serving = {nights.champions(purpose)[-1]["run_id"] for purpose in ("lists", "ratings")}
    kept = clean(nights.tables, nights=0, rollbacks=0, versions_days=0.0)
    assert kept.removed_runs > 0 and kept.removed_bytes > 0
    runs = {row["run_id"] for row in nights.tables.dicts("gold_runs")}
    assert serving <= runs and len(runs) == kept.runs
    for table in ("gold_item_factors", "gold_recommendations"):
        assert {row["run_id"] for row in nights.tables.dicts(table, ("DISTINCT run_id",))} <= runs
    again = clean(nights.tables, nights=0, rollbacks=0, versions_days=0.0)
    assert again.removed_runs == 0
    store = open_store(str(nights.root))
    user = store.snapshot.dicts("silver_users", where="true LIMIT 1")[0]["user_id"]
    assert len(store.recommend(user).suggestions) == 10


def test_a_second_job_is_refused_while_the_first_is_at_work(spark: SparkSession, tmp_path: Path) -> None:
    tables = Tables(spark, load("local", [f"tables.root={tmp_path}"]).tables)
    living = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        with lease(tables, "nightly"):
            row = tables.read("gold_lease").toArrow().to_pylist()[0]
            row["holder"] = row["holder"].rpartition(":")[0] + f":{living.pid}"
            tables.put("gold_lease", [row], "holder IS NOT NULL")
            with pytest.raises(TableError, match=r"nightly of \S+ is at work on these tables; wait until it ends"):
                lease(tables, "prepare").__enter__()
    finally:
        living.kill()
        living.wait()
    tables.put("gold_lease", [row | {"expires_at": datetime.now(UTC) + timedelta(hours=1)}], "holder IS NOT NULL")
    with lease(tables, "prepare"):  # its holder is dead
        pass
    elsewhere = row | {"holder": "another-machine:1", "expires_at": datetime.now(UTC) + timedelta(hours=1)}
    tables.put("gold_lease", [elsewhere], "holder IS NOT NULL")
    with pytest.raises(TableError, match="another-machine:1"):
        lease(tables, "prepare").__enter__()
    other = Tables(spark, load("local", [f"tables.root={tmp_path}"]).tables)
    other.watch("gold_lease")  # it has looked, and another job takes the lease before it does
    over = elsewhere | {"expires_at": datetime.now(UTC) - timedelta(seconds=1)}
    tables.put("gold_lease", [over], "holder IS NOT NULL")
    with lease(tables, "prepare"):
        assert tables.read("gold_lease").collect()[0]["job"] == "prepare"
        with pytest.raises(TableError):
            other.put("gold_lease", [over], "holder IS NOT NULL")
