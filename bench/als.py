"""Seconds an iteration of ALS takes on generated long-tailed ratings, by rank.

The difference between a fit of many iterations and one of few, so that start-up and preparation drop out.

PYTHONPATH=lib .venv/bin/python bench/als.py --ratings 22000000 --ranks 16 64 --master 'local[2]' --memory 12g
"""

from __future__ import annotations

import argparse
import tempfile
import time

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from nightreel.models.solve.spark_als import FactorisationParams, factorise
from nightreel.session import spark_session

USERS, ITEMS = 465_000, 4_500
FEW, MANY = 1, 3


def long_tailed(spark: SparkSession, ratings: int, *, seed: int) -> DataFrame:
    """Grain rating (a few pairs repeat); columns user_idx, item_idx, rating 1..5; low indices have most."""
    users = F.floor(F.pow(F.rand(seed), F.lit(2.0)) * USERS).cast("int")
    items = F.floor(F.pow(F.rand(seed + 1), F.lit(3.0)) * ITEMS).cast("int")
    rating = (F.floor(F.rand(seed + 2) * 5) + 1).cast("float")
    return spark.range(0, ratings, numPartitions=16).select(
        users.alias("user_idx"), items.alias("item_idx"), rating.alias("rating")
    )


def seconds_to_fit(rows: DataFrame, *, rank: int, iterations: int) -> float:
    params = FactorisationParams(rank=rank, reg=0.1, iterations=iterations, blocks=0, checkpoint_interval=10)
    start = time.perf_counter()
    factorise(rows, params, seed=1)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ratings", type=int, default=22_000_000)
    parser.add_argument("--ranks", type=int, nargs="+", default=[16, 64])
    parser.add_argument("--master", default="local[2]")
    parser.add_argument("--memory", default="12g")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        spark = spark_session.start(
            checkpoints=f"{folder}/checkpoints",
            spark__master=arguments.master,
            spark__driver__memory=arguments.memory,
            spark__local__dir=folder,
        )
        rows_at = f"{folder}/ratings"
        long_tailed(spark, arguments.ratings, seed=1).write.parquet(rows_at)
        print(f"{arguments.ratings:,} ratings, {USERS:,} users, {ITEMS:,} items, {arguments.master}")
        print(f"| rank | fit of {FEW} iteration, s | fit of {MANY} iterations, s | s per iteration |")
        print("|---|---|---|---|")
        warm_up = spark.read.parquet(rows_at).sample(0.01, seed=1)
        seconds_to_fit(warm_up, rank=arguments.ranks[0], iterations=FEW)
        for rank in arguments.ranks:
            few, many = (
                seconds_to_fit(spark.read.parquet(rows_at), rank=rank, iterations=count) for count in (FEW, MANY)
            )
            print(f"| {rank} | {few:.1f} | {many:.1f} | {(many - few) / (MANY - FEW):.1f} |", flush=True)
        spark.stop()


if __name__ == "__main__":
    main()
