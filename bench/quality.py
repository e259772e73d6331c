"""Rating errors of every predicting model on random 90/10 splits, beside Surprise's where it can be imported.

PYTHONPATH=lib .venv/bin/python bench/quality.py --data ../shared/data/ml-latest-small --seeds 5
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from nightreel import session
from nightreel.models import create
from nightreel.settings import Layers, read_layers

PREDICTING = ["user_mean", "item_mean", "mean_of_means", "weighted_mean", "baseline", "als"]


def read_ratings(spark: SparkSession, folder: Path) -> DataFrame:
    """MovieLens ratings; grain user x item."""
    rows = spark.read.csv(str(folder / "ratings.csv"), header=True, schema="u int, i int, r float, t bigint")
    return rows.select(F.col("u").alias("user_idx"), F.col("i").alias("item_idx"), F.col("r").alias("rating"))


def split(ratings: DataFrame, seed: int) -> tuple[DataFrame, DataFrame]:
    """Nine tenths to train on and one tenth to test on, by a hash of user, item and seed."""
    held_out = F.pmod(F.xxhash64("user_idx", "item_idx", F.lit(seed)), F.lit(10)) == 0
    return ratings.where(~held_out).persist(), ratings.where(held_out).persist()


def by_nightreel(
    wanted: Sequence[str], train: DataFrame, test: DataFrame, *, layers: Layers, seed: int
) -> Iterator[tuple[str, float, float]]:
    """Model, RMSE and MAE, predictions clipped to the scale and fallbacks counted as any other."""
    bounds = train.agg(F.min("rating"), F.max("rating")).first()
    if bounds is None:
        raise SystemExit("no ratings")
    for name in wanted:
        model = create(name, layers).fit(train, seed=seed)
        clipped = F.greatest(F.least("prediction", F.lit(bounds[1])), F.lit(bounds[0]))
        error = clipped.cast("double") - F.col("rating")
        row = model.predict(test).agg(F.sqrt(F.avg(error * error)), F.avg(F.abs(error))).first()
        if row is not None:
            yield name, row[0], row[1]


def by_surprise(train: DataFrame, test: DataFrame, *, seed: int) -> Iterator[tuple[str, float, float]]:
    surprise = importlib.import_module("surprise")
    rows = train.toPandas()
    reader = surprise.Reader(rating_scale=(rows["rating"].min(), rows["rating"].max()))
    learnt_from = surprise.Dataset.load_from_df(rows, reader).build_full_trainset()
    held_out = list(test.toPandas().itertuples(index=False, name=None))
    peers = {"BaselineOnly": surprise.BaselineOnly(verbose=False), "SVD": surprise.SVD(random_state=seed)}
    for name, peer in peers.items():
        answers = peer.fit(learnt_from).test(held_out)
        errors = np.array([answer.est - answer.r_ui for answer in answers])
        yield f"Surprise {name}", float(np.sqrt(np.mean(errors**2))), float(np.mean(np.abs(errors)))


def print_table(results: dict[str, list[tuple[float, float]]]) -> None:
    print("| model | RMSE mean | RMSE spread | MAE mean | RMSE of each split |")
    print("|---|---|---|---|---|")
    for name, errors in results.items():
        rmse, mae = ([pair[place] for pair in errors] for place in (0, 1))
        each = " ".join(f"{value:.4f}" for value in rmse)
        spread = max(rmse) - min(rmse)
        print(f"| {name} | {statistics.mean(rmse):.4f} | {spread:.4f} | {statistics.mean(mae):.4f} | {each} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="a folder with MovieLens' ratings.csv")
    parser.add_argument("--seeds", type=int, default=5, help="how many splits")
    parser.add_argument("--models", nargs="+", default=PREDICTING)
    parser.add_argument("--set", action="append", default=[], metavar="models.NAME.KEY=VALUE")
    arguments = parser.parse_args()
    layers = read_layers("local", arguments.set)
    results: dict[str, list[tuple[float, float]]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        spark = session.start(checkpoints=folder, spark__sql__shuffle__partitions="2")
        ratings = read_ratings(spark, arguments.data)
        for seed in range(arguments.seeds):
            train, test = split(ratings, seed)
            for name, rmse, mae in by_nightreel(arguments.models, train, test, layers=layers, seed=seed):
                results[name].append((rmse, mae))
            if importlib.util.find_spec("surprise"):
                for name, rmse, mae in by_surprise(train, test, seed=seed):
                    results[name].append((rmse, mae))
        spark.stop()
    print_table(results)


if __name__ == "__main__":
    main()
