"""The ranking metrics beside ranx's, on the same random lists: equality and seconds.

PYTHONPATH=lib .venv/bin/python bench/ranking.py --users 5000 --items 5000
"""

from __future__ import annotations

import argparse
import tempfile
import time

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame, SparkSession
from ranx import Qrels, Run
from ranx import evaluate as ranx_evaluate

from nightreel.evaluate import ranking_metrics
from nightreel.session import spark_session

KS = (1, 5, 10, 50)
MEASURES = ("precision", "recall", "ndcg", "map", "mrr", "hit_rate")


def drawn_lists(users: int, items: int, *, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Each user's 50 recommended items and 1 to 20 relevant ones, drawn so that some meet."""
    rng = np.random.default_rng(seed)
    shown = [rng.choice(items, size=max(KS), replace=False) for _ in range(users)]
    known = [
        np.unique(np.concatenate([rng.choice(items, size=rng.integers(1, 15)), rng.choice(mine, size=5)]))
        for mine in shown
    ]
    ranks = np.tile(np.arange(1, max(KS) + 1), users)
    listed = pd.DataFrame({"user_idx": owners(shown), "rank": ranks, "item_idx": np.concatenate(shown)})
    relevant = pd.DataFrame({"user_idx": owners(known), "item_idx": np.concatenate(known), "rating": 5.0})
    return listed, relevant


def owners(lists: list[np.ndarray]) -> np.ndarray:
    return np.repeat(np.arange(len(lists)), [len(mine) for mine in lists])


def by_nightreel(recommended: DataFrame, held_out: DataFrame) -> dict[str, float]:
    rows = ranking_metrics(recommended, held_out, ks=KS, relevant_from=4.0).collect()
    return {row["metric"]: row["value"] for row in rows}


def by_ranx(recommended: pd.DataFrame, held_out: pd.DataFrame) -> dict[str, float]:
    named = {"q_id": "user_idx", "doc_id": "item_idx"}
    relevant = pd.DataFrame({new: held_out[old].astype(str) for new, old in named.items()} | {"score": 1})
    listed = pd.DataFrame({new: recommended[old].astype(str) for new, old in named.items()})
    listed["score"] = 1.0 / recommended["rank"]
    qrels = Qrels.from_df(relevant)
    run = Run.from_df(listed)
    asked = [f"{measure}@{k}" for measure in MEASURES for k in KS]
    means = dict(ranx_evaluate(qrels, run, asked))
    return means | {f"map@{k}": map_of_the_reachable(qrels, run, k) for k in KS}


def map_of_the_reachable(qrels: Qrels, run: Run, k: int) -> float:
    """ranx divides a user's average precision by all relevant items, nightreel by at most k of them."""
    relevant = {user: len(items) for user, items in qrels.to_dict().items()}
    precisions: dict[str, float] = run.scores[f"map@{k}"]
    return sum(value * relevant[user] / min(k, relevant[user]) for user, value in precisions.items()) / len(relevant)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=5_000)
    parser.add_argument("--items", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=42)
    asked = parser.parse_args()
    recommended, held_out = drawn_lists(asked.users, asked.items, seed=asked.seed)
    with tempfile.TemporaryDirectory() as folder:
        compare(spark_session.start(checkpoints=folder), recommended, held_out)


def compare(spark: SparkSession, recommended: pd.DataFrame, held_out: pd.DataFrame) -> None:
    frames = [spark.createDataFrame(frame).persist() for frame in (recommended, held_out)]
    by_nightreel(*frames)
    by_ranx(*[frame[frame["user_idx"] == 0] for frame in (recommended, held_out)])
    started = time.perf_counter()
    ours = by_nightreel(*frames)
    between = time.perf_counter()
    theirs = by_ranx(recommended, held_out)
    ended = time.perf_counter()
    print("| metric | nightreel | ranx | difference |\n|---|---|---|---|")
    for metric, value in ours.items():
        print(f"| {metric} | {value:.9f} | {theirs[metric]:.9f} | {abs(value - theirs[metric]):.1e} |")
    print(f"| seconds | {between - started:.2f} | {ended - between:.2f} | |")
    worst = max(abs(value - theirs[metric]) for metric, value in ours.items())
    if worst > 1e-6:
        raise SystemExit(f"the two differ by {worst:.1e}, more than 1e-6")


if __name__ == "__main__":
    main()
