"""A night that is killed (SIGKILL, the driver and its JVM) in one step after another, and run again.

A first night publishes. Of each step a second night is killed while it is at it: afterwards every table can be read and
the first night's lists serve; run again, the night ends well and its lists are as many as those of a night that nobody
killed.

    PYTHONPATH=lib .venv/bin/python bench/faults.py --steps ingest prepare train evaluate decide recommend publish
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from shutil import copytree

from nightreel import open_store
from nightreel.sample import generate

HOME = Path(__file__).parents[1]
BEFORE = {
    "ingest": "start Spark",
    "prepare": "measure",
    "train": "prepare",
    "evaluate": "train ease",
    "decide": "evaluate",
    "recommend": "decide",
    "publish": "similar items",
}
"""By step, how the line begins that standard error has just before it."""


def start(folder: Path, date: str) -> subprocess.Popen[str]:
    words = ["./spark-submit.sh", "nightly", "--env", "local", "--run-date", date]
    for text in (
        f"data.path={folder / 'raw'}",
        f"tables.root={folder / 'tables'}",
        'nightly.models=["popular", "baseline", "als_implicit", "ease"]',
        "filter.min_ratings_per_user=5",
        "filter.min_ratings_per_item=5",
    ):
        words += ["--set", text]
    environment = os.environ | {"SPARK_ARGS": "--driver-memory 2g"}
    return subprocess.Popen(
        words, cwd=HOME, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, start_new_session=True,
        env=environment,
    )  # fmt: skip


def killed_in(step: str, folder: Path, date: str, *, after: float) -> bool:
    """Whether the night was still at work when it was killed."""
    night = start(folder, date)
    assert night.stderr is not None
    for line in night.stderr:
        if line.startswith(BEFORE[step]):
            time.sleep(after)
            break
    at_work = night.poll() is None
    if at_work:
        os.killpg(night.pid, signal.SIGKILL)
    night.wait()
    return at_work


def whole(folder: Path, date: str) -> tuple[int, float]:
    """The night's exit code and seconds."""
    started = time.perf_counter()
    night = start(folder, date)
    night.communicate()
    return night.returncode, time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", nargs="+", choices=BEFORE, default=list(BEFORE))
    parser.add_argument("--after", type=float, default=0.5, help="seconds into the step")
    parser.add_argument("--ratings", type=int, default=20_000)
    arguments = parser.parse_args()
    first, second = "2026-01-01", "2026-01-02"
    with tempfile.TemporaryDirectory() as temporary:
        base = Path(temporary) / "base"
        generate(base / "raw", format="netflix", ratings=arguments.ratings, seed=1, broken_lines=5, duplicates=0)
        code, seconds = whole(base, first)
        assert code == 0, code
        more = (base / "raw" / "combined_data_1.txt").read_text(encoding="latin-1")
        part = more[: len(more) // 4].rpartition("\n")[0].replace(",1,", ",2,")
        (base / "raw" / "combined_data_2.txt").write_text(part, encoding="latin-1")
        copytree(base, Path(temporary) / "reference")
        code, seconds = whole(Path(temporary) / "reference", second)
        expected = lists_of(Path(temporary) / "reference")
        print(f"a second night that nobody kills: exit {code}, {seconds:.0f} s, {expected}")
        print("| killed in | was at work | tables read | served meanwhile | run again | s | lists as expected |")
        print("|---|---|---|---|---|---|---|")
        for step in arguments.steps:
            folder = Path(temporary) / step
            copytree(base, folder)
            at_work = killed_in(step, folder, second, after=arguments.after)
            store = open_store(str(folder / "tables"))
            tables = {table.name: table.rows for table in store.tables()}
            serving = store.serving
            code, seconds = whole(folder, second)
            same, served = lists_of(folder) == expected, serving and serving[1]
            found = (step, at_work, len(tables), served, f"exit {code}", f"{seconds:.0f}", same)
            print(f"| {' | '.join(map(str, found))} |", flush=True)


def lists_of(folder: Path) -> str:
    """Who serves, and how many rows its lists have."""
    store = open_store(str(folder / "tables"))
    assert store.serving is not None
    run_id, run_date = store.serving
    where = f"run_id = '{run_id}' AND run_date = DATE '{run_date}'"
    return f"{run_id} of {run_date}, {store.snapshot.rows('gold_recommendations', where=where).num_rows} rows"


if __name__ == "__main__":
    main()
