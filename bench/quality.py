"""Rating errors of every predicting model on random 90/10 splits of a dataset, each split a night of its own.

Every seed runs the whole night: ingest, prepare, train, evaluate. Surprise and myFM, where they can be imported, learn
from and are measured on the very same rows.

    PYTHONPATH=lib .venv/bin/python bench/quality.py --data ../shared/data/ml-latest-small --seeds 5
    PYTHONPATH=lib .venv/bin/python bench/quality.py --data ../shared/data/kmrd-small --seeds 5
    PYTHONPATH=lib .venv/bin/python bench/quality.py --data ../shared/data/ml-latest-small --seeds 3 --peers \
        --models item_knn svd_pp ncf bayes_mf blend --set split.validation_share=0.05 \
        --set 'models.blend.members=["bayes_mf", "item_knn", "svd_pp", "ncf"]'
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from scipy.sparse import csr_matrix, diags, hstack, identity

from nightreel.job import Job
from nightreel.models import HYPERPARAMETERS, runs
from nightreel.nightly import run_night
from nightreel.session import spark_session
from nightreel.settings import ScaleSettings
from nightreel.sources import configured
from nightreel.tables import Tables

PREDICTING = ["user_mean", "item_mean", "baseline", "als", "als_block", "item_knn", "svd_pp", "bayes_mf"]
KEYS = ("user_idx", "item_idx")
NIGHT = date(2026, 1, 1)


def run(
    spark: SparkSession, data: Path, folder: Path, models: Sequence[str], more: Sequence[str], *, seed: int
) -> tuple[Tables, ScaleSettings]:
    """The tables of a night that holds out one tenth by this seed and drops nothing, and the scale of the ratings."""
    overrides = [
        "data.source=auto",
        f"data.path={data}",
        f"tables.root={folder / f'tables{seed}'}",
        "filter.min_ratings_per_user=0",
        "filter.min_ratings_per_item=0",
        "split.test_share=0.1",
        "split.validation_share=0.0",
        f"split.seed={seed}",
        f"nightly.models={list(models)}",
        f"recommend.model={models[-1]}",
        *more,
    ]
    settings = configured("local", overrides, models=HYPERPARAMETERS)
    tables = Tables(spark, settings.tables)
    flags = argparse.Namespace(again=False, env="local", set=overrides)
    run_night(Job(spark=spark, tables=tables, settings=settings, run_date=NIGHT, flags=flags))
    return tables, settings.scale


def by_nightreel(tables: Tables) -> Iterator[tuple[str, float, float, float]]:
    """Model, RMSE, MAE and seconds of training: predictions clipped to the scale, fallbacks counted as any other."""
    measured = tables.read("gold_metrics").where("split = 'test' AND metric IN ('rmse', 'mae')").collect()
    values = {(row["model"], row["metric"]): row["value"] for row in measured}
    trained = {row["model"]: row["finished_at"] - row["started_at"] for row in tables.few("gold_runs")}
    for model in (model for model, metric in values if metric == "rmse"):
        yield model, values[model, "rmse"], values[model, "mae"], trained[model].total_seconds()


def of_split(tables: Tables, split: str) -> pd.DataFrame:
    rows = tables.read("silver_interactions").where(F.col("split") == split)
    return rows.select("user_idx", "item_idx", "rating").orderBy("user_idx", "item_idx").toPandas()


def by_surprise(tables: Tables, scale: ScaleSettings, *, seed: int) -> Iterator[tuple[str, float, float, float]]:
    """Name, RMSE, MAE and seconds of training; at the defaults, neighbours by the best of Surprise's similarities."""
    surprise = importlib.import_module("surprise")
    learnt_from, held_out = of_split(tables, "train"), of_split(tables, "test")
    reader = surprise.Reader(rating_scale=(scale.lowest, scale.highest))
    trainset = surprise.Dataset.load_from_df(learnt_from, reader).build_full_trainset()
    near = {"name": "pearson_baseline", "user_based": False}
    peers = {
        "BaselineOnly": surprise.BaselineOnly(verbose=False),
        "SVD": surprise.SVD(random_state=seed),
        "SVDpp": surprise.SVDpp(random_state=seed),
        "KNNBaseline, items": surprise.KNNBaseline(sim_options=near, verbose=False),
    }
    for name, peer in peers.items():
        started = time.perf_counter()
        peer.fit(trainset)
        seconds = time.perf_counter() - started
        answers = peer.test(list(held_out.itertuples(index=False, name=None)))
        errors = np.array([answer.est - answer.r_ui for answer in answers])
        yield f"Surprise {name}", float(np.sqrt(np.mean(errors**2))), float(np.mean(np.abs(errors))), seconds


def by_myfm(tables: Tables, scale: ScaleSettings, *, seed: int) -> Iterator[tuple[str, float, float, float]]:
    """A Bayesian factorisation machine with the features that bayes_mf's links have, of the same rank and sweeps."""
    myfm = importlib.import_module("myfm")
    learnt_from, held_out = of_split(tables, "train"), of_split(tables, "test")
    n_users, n_items = (int(max(rows.max() for rows in (learnt_from[key], held_out[key]))) + 1 for key in KEYS)
    rated = csr_matrix(
        (np.ones(len(learnt_from)), (learnt_from.user_idx, learnt_from.item_idx)), shape=(n_users, n_items)
    )

    def features(who: csr_matrix) -> csr_matrix:
        by_entries = diags(1 / np.sqrt(np.maximum(np.asarray(who.sum(axis=1)).ravel(), 1)))
        return hstack([identity(who.shape[0]), by_entries @ who]).tocsr()

    of_users, of_items = features(rated), features(rated.T.tocsr())

    def blocks(rows: pd.DataFrame) -> list[Any]:
        return [
            myfm.RelationBlock(rows[key].tolist(), block) for key, block in zip(KEYS, (of_users, of_items), strict=True)
        ]

    started = time.perf_counter()
    machine = myfm.MyFMRegressor(rank=16, random_seed=seed)
    shapes = [n_users, n_items, n_items, n_users]
    machine.fit(
        None, learnt_from.rating.to_numpy(), X_rel=blocks(learnt_from), n_iter=200, n_kept_samples=160,
        group_shapes=shapes,
    )  # fmt: skip
    seconds = time.perf_counter() - started
    told = np.clip(machine.predict(None, blocks(held_out)), scale.lowest, scale.highest)
    errors = told - held_out.rating.to_numpy()
    yield "myFM", float(np.sqrt(np.mean(errors**2))), float(np.mean(np.abs(errors))), seconds


def calibration(tables: Tables) -> str:
    """The shares of the held-out ratings within one and two standard deviations of bayes_mf's predictions."""
    model = runs.load(tables, runs.find(tables, model="bayes_mf"))
    held_out = tables.read("silver_interactions").where("split = 'test'")
    away = F.abs(F.col("rating") - F.col("prediction")) / F.col("uncertainty")
    shares = [F.avg((away <= within).cast("int")) for within in (1, 2)]
    found = model.predict(held_out.select("user_idx", "item_idx", "rating")).agg(*shares).collect()[0]
    return f"{100 * found[0]:.1f} % and {100 * found[1]:.1f} %"


def print_table(results: dict[str, list[tuple[float, float, float]]]) -> None:
    print("| model | RMSE mean | RMSE spread | MAE mean | training, s | RMSE of each split |")
    print("|---|---|---|---|---|---|")
    for name, errors in sorted(results.items(), key=lambda of: -statistics.mean(error[0] for error in of[1])):
        rmse, mae, seconds = ([error[place] for error in errors] for place in (0, 1, 2))
        each = " ".join(f"{value:.4f}" for value in rmse)
        spread, took = max(rmse) - min(rmse), statistics.mean(seconds)
        figures = f"{statistics.mean(rmse):.4f} | {spread:.4f} | {statistics.mean(mae):.4f} | {took:.1f}"
        print(f"| {name} | {figures} | {each} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="a dataset that data.source = auto recognises")
    parser.add_argument("--seeds", type=int, default=5, help="how many splits")
    parser.add_argument("--models", nargs="+", default=PREDICTING)
    parser.add_argument("--set", action="append", default=[], metavar="models.NAME.KEY=VALUE")
    parser.add_argument("--peers", nargs="*", choices=["surprise", "myfm"], default=["surprise", "myfm"])
    arguments = parser.parse_args()
    peers = {"surprise": by_surprise, "myfm": by_myfm}
    results: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        spark = spark_session.start(checkpoints=f"{folder}/checkpoints", spark__sql__shuffle__partitions="2")
        for seed in range(arguments.seeds):
            tables, scale = run(spark, arguments.data, folder, arguments.models, arguments.set, seed=seed)
            measured = list(by_nightreel(tables))
            for peer in arguments.peers:
                if importlib.util.find_spec(peer):
                    measured += peers[peer](tables, scale, seed=seed)
            for model, rmse, mae, seconds in measured:
                results[model].append((rmse, mae, seconds))
                print(f"split {seed}: {model} {rmse:.4f}, {seconds:.1f} s", file=sys.stderr, flush=True)
            if "bayes_mf" in arguments.models:
                print(f"split {seed}, within one and two deviations: {calibration(tables)}", flush=True)
        spark.stop()
    print_table(results)


if __name__ == "__main__":
    main()
