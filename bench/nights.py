"""Nights in a row on ratings that arrive in the order of their time: seconds, errors and bytes, warm and cold.

The first night has most of the ratings, each further one a file more. "warm" goes on from the vectors of the night
before (train.warm_start), "cold" starts anew; both are measured on the same held-out rows.

    PYTHONPATH=lib .venv/bin/python bench/nights.py --ratings ../shared/data/ml-latest-small/ratings.csv --nights 10
    PYTHONPATH=lib .venv/bin/python bench/nights.py --ratings ... --nights 30 --models popular als_block --kinds warm
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from contextlib import redirect_stderr
from datetime import date, timedelta
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from nightreel import Project
from nightreel.session import spark_session

FIRST = date(2026, 1, 1)


class Night(NamedTuple):
    """seconds : of the whole night, and of the trainings alone; bytes : of all tables after it"""

    seconds: float
    training: float
    metrics: dict[tuple[str, str], float]
    bytes: int


def run(folder: Path, number: int, models: Sequence[str], settings: Sequence[str]) -> Night:
    project = Project(
        [
            "data.source=own",
            f"data.path={folder.parent / 'ratings'}",
            *(
                "data.columns.user=userId",
                "data.columns.item=movieId",
                "data.columns.rating=rating",
                "data.columns.time=timestamp",
            ),
            *("scale.lowest=0.5", "scale.highest=5.0"),
            f"tables.root={folder}",
            *("filter.min_ratings_per_user=5", "filter.min_ratings_per_item=3", "ingest.measure=false"),
            f"nightly.models={json.dumps(list(models))}",
            "gate.enforce=false",
            *settings,
        ],
        run_date=FIRST + timedelta(days=number),
    )
    started = time.perf_counter()
    with redirect_stderr(StringIO()):
        project.night()
    seconds = time.perf_counter() - started
    training = sum(spent for step, spent in project.job.seconds.items() if step.startswith("train "))
    rows = project.job.tables.few("gold_metrics", run_date=project.job.run_date, split="test")
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return Night(seconds, training, {(row["model"], row["metric"]): row["value"] for row in rows}, size)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ratings", type=Path, required=True, help="CSV with userId, movieId, rating, timestamp")
    parser.add_argument("--nights", type=int, default=10)
    parser.add_argument("--first", type=float, default=0.6, help="share of the ratings that the first night has")
    parser.add_argument("--models", nargs="+", default=["popular", "baseline", "als_block", "als_implicit"])
    parser.add_argument("--kinds", nargs="+", choices=["warm", "cold"], default=["warm", "cold"])
    parser.add_argument("--set", nargs="*", default=[])
    arguments = parser.parse_args()
    ratings = pd.read_csv(arguments.ratings).sort_values("timestamp", kind="stable")
    ends = np.linspace(arguments.first, 1.0, arguments.nights) * len(ratings)
    shown = [("als_block", "rmse"), ("als_implicit", "ndcg@10")]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "ratings").mkdir()
        spark = spark_session.start("local", checkpoints=f"{folder}/checkpoints")
        print(
            "| night | ratings | kind | night, s | training, s | als_block RMSE | als_implicit nDCG@10 | tables, MB |"
        )
        print("|---|---|---|---|---|---|---|---|")
        totals: dict[str, list[Night]] = {kind: [] for kind in arguments.kinds}
        begin = 0
        for number, end in enumerate(np.rint(ends).astype(int)):
            ratings.iloc[begin:end].to_csv(folder / "ratings" / f"night-{number:03d}.csv", index=False)
            begin = end
            for kind in arguments.kinds:
                settings = [f"train.warm_start={str(kind == 'warm').lower()}", *arguments.set]
                night = run(folder / kind, number, arguments.models, settings)
                totals[kind].append(night)
                figures = [f"{night.metrics[name]:.4f}" if name in night.metrics else "" for name in shown]
                print(
                    f"| {number + 1} | {end:,} | {kind} | {night.seconds:.1f} | {night.training:.1f} "
                    f"| {' | '.join(figures)} | {night.bytes / 1e6:.2f} |", flush=True,
                )  # fmt: skip
        for kind, nights in totals.items():
            later = nights[1:]
            print(f"{kind}, after the first night: {sum(one.seconds for one in later):.0f} s, of it training "
                  f"{sum(one.training for one in later):.0f} s")  # fmt: skip
        spark.stop()


if __name__ == "__main__":
    main()
