"""The Databricks bundle and the schedules: what the platform would read, checked by its own models and by ours."""

from __future__ import annotations

import argparse
import ast
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from databricks.bundles.jobs import Job

from nightreel.job import entry
from nightreel.models import HYPERPARAMETERS
from nightreel.sources import configured

HOME = Path(__file__).parents[2]
BUNDLE = yaml.safe_load((HOME / "databricks.yml").read_text(encoding="utf-8"))
FILES = [file for pattern in BUNDLE["include"] for file in sorted(HOME.glob(pattern))]
JOBS: dict[str, Any] = {
    name: job
    for file in FILES
    for name, job in yaml.safe_load(file.read_text(encoding="utf-8"))["resources"]["jobs"].items()
}


def test_the_bundles_jobs_are_what_databricks_takes() -> None:
    assert set(JOBS) == {"nightly"}
    for job in JOBS.values():
        assert Job.from_dict(job).as_dict()["tasks"][0]["task_key"] == "ingest"
        with pytest.raises((TypeError, ValueError)):
            Job.from_dict({**job, "tasks": [{**job["tasks"][0], "python_wheel": {}}]})


def test_tasks_depend_on_tasks_and_run_on_clusters_that_are_there() -> None:
    for job in JOBS.values():
        clusters, seen = {cluster["job_cluster_key"] for cluster in job["job_clusters"]}, set[str]()
        for task in job["tasks"]:
            assert task["job_cluster_key"] in clusters
            assert {one["task_key"] for one in task.get("depends_on", [])} <= seen
            assert task["timeout_seconds"] and task["max_retries"]
            seen.add(task["task_key"])
        assert job["schedule"]["pause_status"] == "PAUSED"
    assert BUNDLE["targets"]["prod"]["resources"]["jobs"]["nightly"]["schedule"]["pause_status"] == "UNPAUSED"


@pytest.mark.parametrize("task", JOBS["nightly"]["tasks"], ids=lambda task: task["task_key"])
def test_a_tasks_words_are_those_of_its_job(task: dict[str, Any]) -> None:
    """Its entry point is the wheel's; settings and flags are known; the bundle's variables exist."""
    wheel = task["python_wheel_task"]
    scripts = tomllib.loads((HOME / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    assert scripts[wheel["entry_point"]] == "nightreel.job.entry:main"
    text = " ".join(wheel["parameters"])
    assert set(re.findall(r"\$\{var\.(\w+)\}", text)) <= set(BUNDLE["variables"])
    job, *words = re.sub(
        r"\$\{var\.\w+\}", "/Volumes/x", text.replace("{{job.parameters.run_date}}", "2026-01-31")
    ).split()
    assert job in entry.names()
    parser = argparse.ArgumentParser(exit_on_error=False)
    for flag in ("--env", "--run-date", "--model"):
        parser.add_argument(flag)
    parser.add_argument("--set", action="append")
    flags = parser.parse_args(words)
    assert "--run-date={{job.parameters.run_date}}" in wheel["parameters"]
    settings = configured(flags.env, [text.replace("catalog=/Volumes/x", "catalog=main") for text in flags.set],
                          models=HYPERPARAMETERS)  # fmt: skip
    assert settings.tables.catalog == "main"
    assert flags.model is None or flags.model in HYPERPARAMETERS


def test_an_unknown_job_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        entry.main(["nigthly"])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith(
        "nightreel-job: nigthly: no such job; there are: compare, evaluate, ingest"
    )


def test_help_names_the_jobs(capsys: pytest.CaptureFixture[str]) -> None:
    entry.main(["--help"])
    assert "reproduce" in capsys.readouterr().out


def test_schedules_name_jobs_that_are_there() -> None:
    dag = (HOME / "deploy" / "airflow_dag.py").read_text(encoding="utf-8")
    ast.parse(dag)
    named = set(re.findall(r'job\("(\w+)"\)', dag))
    for file in ("crontab", "nightreel.service"):
        named |= set(re.findall(r"spark-submit\.sh (\w+)", (HOME / "deploy" / file).read_text(encoding="utf-8")))
    assert named == {"ingest", "prepare", "nightly", "report"}
    assert named <= set(entry.names())
