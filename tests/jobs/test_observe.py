"""What others are told of a job: log lines, a hook on failure, MLflow; and a run that is trained again."""

from __future__ import annotations

import json
import shutil
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from tests.jobs.conftest import DATE, RunJob, settings_in, write_dump

from nightreel.job import observe
from nightreel.settings import load
from nightreel.settings.sections import ObserveSettings
from nightreel.tables.tables import Tables

SMALL = {"filter__min_ratings_per_user": "0", "filter__min_ratings_per_item": "0", "split__test_share": "0.3"}
MODELS = ["--model", "item_mean", "--model", "als_implicit"]


@pytest.fixture(scope="module")
def trained(run_job: RunJob, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small dump and its tables, with measured runs of two models."""
    folder = tmp_path_factory.mktemp("trained")
    words = settings_in(folder, write_dump(folder / "raw", users=30), **SMALL)
    for job in (["ingest"], ["prepare"], ["train", *MODELS], ["evaluate", *MODELS]):
        ended = run_job(*job, *words, *DATE)
        assert ended.code == 0, ended.err
    return folder


def tables_of(spark: SparkSession, folder: Path) -> Tables:
    return Tables(spark, load("local", [f"tables.root={folder / 'tables'}"]).tables)


def test_steps_and_ends_are_json_lines(run_job: RunJob, trained: Path, tmp_path: Path) -> None:
    words = settings_in(trained, trained / "raw", **SMALL, observe__log="json")
    ended = run_job("evaluate", *MODELS, *words, *DATE)
    events = [json.loads(line) for line in ended.err.splitlines() if line.startswith("{")]
    assert [event["event"] for event in events] == ["step", "done"]
    assert events[0]["step"] == "evaluate 2 runs" and events[0]["seconds"] > 0
    assert events[1]["rows"] == {"runs evaluated": 2} and events[1]["run_date"] == "2005-12-31"


@pytest.fixture
def posted() -> Iterator[tuple[str, list[Any]]]:
    """The address of a server on this machine, and what was posted to it."""
    got = list[Any]()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/", got
    server.shutdown()


def test_a_failure_calls_the_hook(run_without_spark: RunJob, tmp_path: Path, posted: tuple[str, list[Any]]) -> None:
    told = tmp_path / "told.json"
    program = f"import sys, pathlib; pathlib.Path({str(told)!r}).write_text(sys.stdin.read())"
    for hook in ([sys.executable, "-c", program], [posted[0]]):
        ended = run_without_spark(
            "ingest", *settings_in(tmp_path, tmp_path / "no dump"), "--set", f"observe.hook={json.dumps(hook)}"
        )
        assert ended.code == 2
    for found in (json.loads(told.read_text()), posted[1][0]):
        assert (found["event"], found["job"], found["exit_code"]) == ("failed", "ingest", 2)
        assert "no dump" in found["error"]


def test_a_hook_that_fails_changes_nothing(run_without_spark: RunJob, tmp_path: Path) -> None:
    words = settings_in(tmp_path, tmp_path / "no dump", observe__hook='["/no/such/program; rm"]')
    ended = run_without_spark("ingest", *words)
    assert ended.code == 2 and "no dump" in ended.complaint


def test_metrics_go_to_mlflow_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    settings = ObserveSettings(log="text", hook=(), mlflow=(tmp_path / "mlruns").as_uri(), experiment="nights")
    row = {
        "run_id": "r1",
        "run_date": "2026-01-01",
        "model": "als",
        "split": "test",
        "metric": "ndcg@10",
        "value": 0.25,
    }
    for value in (0.25, 0.5):
        observe.keep_in_mlflow(settings, [row | {"value": value}], params={"r1": '{"rank": 8, "baseline": {"reg": 2}}'})
    (run,) = mlflow.search_runs(experiment_names=["nights"], output_format="list")
    assert run.data.metrics == {"test/ndcg_at_10": 0.5}
    assert run.data.params == {"model": "als", "rank": "8", "baseline.reg": "2"}
    assert run.data.tags["nightreel.run_id"] == "r1"


def test_a_run_trained_again_has_the_same_metrics(
    spark: SparkSession, run_job: RunJob, trained: Path, tmp_path: Path
) -> None:
    shutil.copytree(trained / "tables", tmp_path / "tables")
    words, tables = settings_in(tmp_path, trained / "raw", **SMALL), tables_of(spark, tmp_path)
    runs = {row["model"]: row["run_id"] for row in tables.few("gold_runs")}
    before = tables.state("gold_runs")
    for model in ("item_mean", "als_implicit"):
        ended = run_job("reproduce", runs[model], *words)
        assert ended.code == 0, ended.err
        assert "the same metrics" in ended.out and "ndcg@10: recorded 0." in ended.out
    assert tables.state("gold_runs") == before
    assert not list((tmp_path / "tables").rglob("again-*"))
    row = next(row for row in tables.few("gold_metrics", run_id=runs["item_mean"]) if row["metric"] == "rmse")
    tables.put(
        "gold_metrics",
        [row | {"value": row["value"] + 0.1}],
        f"run_id = '{row['run_id']}' AND metric = 'rmse' AND split = '{row['split']}'",
    )
    ended = run_job("reproduce", runs["item_mean"], *words)
    assert ended.code == 1 and "not the same again" in ended.complaint
    assert run_job("reproduce", "no such run", *words).code == 2


def test_users_keep_their_index_and_training_goes_on(
    spark: SparkSession, run_job: RunJob, trained: Path, tmp_path: Path
) -> None:
    """A second night with new users, and without one of the old ones, whose id lies before others."""
    shutil.copytree(trained / "tables", tmp_path / "tables")
    raw = shutil.copytree(trained / "raw", tmp_path / "raw")
    file = raw / "combined_data_1.txt"
    lines = [line for line in file.read_text().splitlines() if not line.startswith("5,")]
    lines.insert(1, "800,5,2005-02-01")
    file.write_text("\n".join([*lines, "2:", "800,4,2005-02-02", "900,3,2005-02-03"]) + "\n")
    words, tables = settings_in(tmp_path, raw, **SMALL, ingest__gone="drop"), tables_of(spark, tmp_path)
    before = {row["user_id"]: row["user_idx"] for row in tables.read("silver_users").collect()}
    for job in (["ingest"], ["prepare"], ["train", "--model", "als_implicit"]):
        ended = run_job(*job, *words, "--run-date", "2006-01-01")
        assert ended.code == 0, ended.err
    after = {row["user_id"]: row["user_idx"] for row in tables.read("silver_users").collect()}
    assert {user: after[user] for user in before if user in after} == {
        user: before[user] for user in before if user != 5
    }
    assert {after[800], after[900]} == {len(before), len(before) + 1}
    assert 5 not in after and 5 in {row["user_id"] for row in tables.read("silver_user_index").collect()}
    first, second = sorted(tables.few("gold_runs", model="als_implicit"), key=lambda row: row["run_date"])
    assert json.loads(second["header"])["earlier"] == first["run_id"]
    assert "earlier" not in json.loads(first["header"])
