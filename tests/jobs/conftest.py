"""Jobs run as spark-submit runs them, in this process and its Spark session."""

from __future__ import annotations

import io
import runpy
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import pytest
from pyspark.sql import SparkSession

JOBS = Path(__file__).parents[2] / "jobs"
DATE = ("--run-date", "2005-12-31")


@dataclass(frozen=True)
class Ended:
    """How a job ended: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The one line a failed job prints last on stderr."""
        return self.err.strip().splitlines()[-1] if self.err.strip() else ""


RunJob = Callable[..., Ended]
SettingsFor = Callable[..., list[str]]


def run_here(name: str, *arguments: str) -> Ended:
    """jobs/<name>.py <arguments> in this process."""
    out, err = io.StringIO(), io.StringIO()
    argv = [str(JOBS / f"{name}.py"), *arguments]
    with (
        patch.object(sys, "argv", argv),
        redirect_stdout(out),
        redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        runpy.run_path(argv[0], run_name="__main__")
    return Ended(code=int(ended.value.code or 0), out=out.getvalue(), err=err.getvalue())


def settings_in(folder: Path, data: Path, **more: str) -> list[str]:
    """--set arguments that keep a job's tables in the folder."""
    pairs = {"data.path": str(data), "tables.root": str(folder / "tables")}
    pairs |= {name.replace("__", "."): value for name, value in more.items()}
    return [argument for name, value in pairs.items() for argument in ("--set", f"{name}={value}")]


@pytest.fixture(scope="session")
def run_job(spark: SparkSession) -> RunJob:
    return run_here


@pytest.fixture
def run_without_spark(monkeypatch: pytest.MonkeyPatch) -> RunJob:
    """A job that is to end before it starts Spark: the test fails if it tries."""

    def start(*_: object, **__: object) -> None:
        pytest.fail("the job starts Spark")

    monkeypatch.setattr("nightreel.session.spark_session.start", start)
    return run_here


@pytest.fixture
def settings_for(tmp_path: Path) -> SettingsFor:
    """--set arguments that keep a job inside the test's folder."""

    def make(data: Path, **more: str) -> list[str]:
        return settings_in(tmp_path, data, **more)

    return make


def write_dump(folder: Path, *, users: int = 12, movies: int = 6, broken: int = 0) -> Path:
    """A dump in which even users love even movies and odd users odd ones; each user skips one movie."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for movie in range(1, movies + 1):
        lines.append(f"{movie}:")
        for user in range(1, users + 1):
            if (user + movie) % movies != 0:
                stars = 5 if user % 2 == movie % 2 else 1 + (user % 3 == 0)
                lines.append(f"{user},{stars},2005-01-{(user + movie) % 28 + 1:02d}")
    lines += ["7,9,2005-01-01"] * broken
    (folder / "combined_data_1.txt").write_text("\n".join(lines) + "\n")
    titles = [f"{movie},{1990 + movie},Film {movie}" for movie in range(1, movies + 1)]
    (folder / "movie_titles.csv").write_text("\n".join(titles) + "\n")
    return folder
