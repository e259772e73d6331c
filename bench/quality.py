"""Rating errors of every predicting model on random 90/10 splits of a dataset, each split a night of its own.

Every seed runs the whole night: ingest, prepare, train, evaluate. Surprise, where it can be imported, learns from and
is measured on the very same rows.

    PYTHONPATH=lib .venv/bin/python bench/quality.py --data ../shared/data/ml-latest-small --seeds 5
    PYTHONPATH=lib .venv/bin/python bench/quality.py --data ../shared/data/kmrd-small --seeds 5
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import numpy as np
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from nightreel.job import Job
from nightreel.models import HYPERPARAMETERS
from nightreel.nightly import run_night
from nightreel.session import spark_session
from nightreel.settings import ScaleSettings
from nightreel.sources import configured
from nightreel.tables import Tables

PREDICTING = ["user_mean", "item_mean", "mean_of_means", "weighted_mean", "baseline", "als"]
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


def by_nightreel(tables: Tables) -> Iterator[tuple[str, float, float]]:
    """Model, RMSE and MAE: predictions clipped to the scale, fallbacks counted as any other."""
    measured = tables.read("gold_metrics").where("split = 'test' AND metric IN ('rmse', 'mae')").collect()
    values = {(row["model"], row["metric"]): row["value"] for row in measured}
    yield from ((model, values[model, "rmse"], values[model, "mae"]) for model, metric in values if metric == "rmse")


def by_surprise(tables: Tables, scale: ScaleSettings, *, seed: int) -> Iterator[tuple[str, float, float]]:
    surprise = importlib.import_module("surprise")
    rows = tables.read("silver_interactions").select("user_idx", "item_idx", "rating", F.col("split"))
    learnt_from, held_out = (
        rows.where(F.col("split") == split).drop("split").orderBy("user_idx", "item_idx").toPandas()
        for split in ("train", "test")
    )
    reader = surprise.Reader(rating_scale=(scale.lowest, scale.highest))
    trainset = surprise.Dataset.load_from_df(learnt_from, reader).build_full_trainset()
    peers = {"BaselineOnly": surprise.BaselineOnly(verbose=False), "SVD": surprise.SVD(random_state=seed)}
    for name, peer in peers.items():
        answers = peer.fit(trainset).test(list(held_out.itertuples(index=False, name=None)))
        errors = np.array([answer.est - answer.r_ui for answer in answers])
        yield f"Surprise {name}", float(np.sqrt(np.mean(errors**2))), float(np.mean(np.abs(errors)))


def print_table(results: dict[str, list[tuple[float, float]]]) -> None:
    print("| model | RMSE mean | RMSE spread | MAE mean | RMSE of each split |")
    print("|---|---|---|---|---|")
    for name, errors in sorted(results.items(), key=lambda of: -statistics.mean(rmse for rmse, _ in of[1])):
        rmse, mae = ([pair[place] for pair in errors] for place in (0, 1))
        each = " ".join(f"{value:.4f}" for value in rmse)
        spread = max(rmse) - min(rmse)
        print(f"| {name} | {statistics.mean(rmse):.4f} | {spread:.4f} | {statistics.mean(mae):.4f} | {each} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="a dataset that data.source = auto recognises")
    parser.add_argument("--seeds", type=int, default=5, help="how many splits")
    parser.add_argument("--models", nargs="+", default=PREDICTING)
    parser.add_argument("--set", action="append", default=[], metavar="models.NAME.KEY=VALUE")
    arguments = parser.parse_args()
    results: dict[str, list[tuple[float, float]]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        spark = spark_session.start(checkpoints=f"{folder}/checkpoints", spark__sql__shuffle__partitions="2")
        for seed in range(arguments.seeds):
            tables, scale = run(spark, arguments.data, folder, arguments.models, arguments.set, seed=seed)
            measured = list(by_nightreel(tables))
            if importlib.util.find_spec("surprise"):
                measured += by_surprise(tables, scale, seed=seed)
            for model, rmse, mae in measured:
                results[model].append((rmse, mae))
        spark.stop()
    print_table(results)


if __name__ == "__main__":
    main()
