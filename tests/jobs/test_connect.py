"""The night over Spark Connect: the library keeps to DataFrames."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
from tests.conftest import QUICK_JVM

from nightreel.sample import generate

CHECKOUT = Path(__file__).parents[2]


def test_a_night_over_spark_connect(tmp_path: Path) -> None:
    generate(tmp_path / "raw", ratings=3_000, seed=3, broken_lines=3)
    ended = subprocess.run(
        [
            sys.executable,
            str(CHECKOUT / "jobs" / "nightly.py"),
            *("--remote", "local[2]", "--run-date", "2005-12-31"),
            *("--set", f"data.path={tmp_path / 'raw'}", "--set", f"tables.root={tmp_path / 'tables'}"),
            *("--set", 'nightly.models=["item_mean", "als"]', "--set", "models.als.iterations=2"),
        ],
        env=os.environ | {"JAVA_TOOL_OPTIONS": QUICK_JVM},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=540,
    )
    assert ended.returncode == 0, ended.stderr
    recommended = tmp_path / "tables" / "netflix" / "gold_recommendations"
    rows = sum(pq.read_metadata(file).num_rows for file in recommended.rglob("*.parquet"))
    assert rows > 100
