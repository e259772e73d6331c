"""Seconds an iteration of ALS takes on generated long-tailed ratings, and the loss, by solver and rank.

Explicit: Spark ML's ALS, als_block and a sweep of bayes_mf; implicit feedback: als_implicit and the implicit library
(conjugate gradients).
The difference between a fit of many iterations and one of few, so that start-up and preparation drop out. Peak memory
is that of the largest Python worker so far.

PYTHONPATH=lib .venv/bin/python bench/als.py --ratings 22000000 --ranks 16 64 --master 'local[2]' --memory 12g
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import psutil  # type: ignore[import-untyped]
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from nightreel.models.contract import EpochMetric, TrainingContext
from nightreel.models.engine.catalogue import factor_matrix
from nightreel.models.solve.block_als import BlockParams, factorise_in_blocks
from nightreel.models.solve.blocks import size_of
from nightreel.models.solve.sampling import SamplingParams
from nightreel.models.solve.spark_als import FactorisationParams, factorise
from nightreel.session import spark_session
from nightreel.settings import load

USERS, ITEMS = 465_000, 4_500
FEW, MANY, REG, ALPHA = 1, 3, 0.1, 10.0
SOLVERS = ["spark_ml", "als_block", "bayes_mf", "als_implicit", "implicit"]


def long_tailed(spark: SparkSession, ratings: int, *, seed: int) -> DataFrame:
    """Grain user x item; columns user_idx, item_idx, rating 1..5; low indices have most."""
    users = F.floor(F.pow(F.rand(seed), F.lit(2.0)) * USERS).cast("int")
    items = F.floor(F.pow(F.rand(seed + 1), F.lit(3.0)) * ITEMS).cast("int")
    rows = spark.range(0, ratings, numPartitions=16).select(users.alias("user_idx"), items.alias("item_idx"))
    taste = F.pmod(F.col("user_idx"), F.lit(7)) == F.pmod(F.col("item_idx"), F.lit(7))
    rating = F.floor(F.rand(seed + 2) * 4) + 1 + taste.cast("int")
    return rows.distinct().withColumn("rating", rating.cast("float"))


class Fitted(NamedTuple):
    """loss : of the objective that all solvers of explicit ratings share; None where it is another"""

    seconds: float
    loss: float | None


Fit = Callable[[int, int], Fitted]
"""From the rank and the number of iterations."""


def by_spark_ml(rows: DataFrame, arrays: Any) -> Fit:
    def fit(rank: int, iterations: int) -> Fitted:
        params = FactorisationParams(rank=rank, reg=REG, iterations=iterations, blocks=0, checkpoint_interval=10)
        started = time.perf_counter()
        sides = factorise(rows, params, seed=1)
        seconds = time.perf_counter() - started
        return Fitted(seconds, _loss(arrays, *(_matrix(side, rank) for side in sides)) if iterations == MANY else None)

    return fit


def in_blocks(rows: DataFrame, folder: str, *, implicit: bool) -> Fit:
    settings = load("local")

    def fit(rank: int, iterations: int) -> Fitted:
        kept = list[EpochMetric]()
        context = TrainingContext(folder, settings.scale, settings.neural, keep_history=kept.extend)
        started = time.perf_counter()
        params = BlockParams(rank=rank, reg=REG, iterations=iterations, warm_iterations=1, blocks=0)
        factorise_in_blocks(rows, params, seed=1, context=context, implicit=implicit)
        return Fitted(time.perf_counter() - started, None if implicit else kept[-1].value)

    return fit


def by_sampling(rows: DataFrame, folder: str) -> Fit:
    from nightreel.models.solve.sampling_blocks import sample_in_blocks

    settings = load("local")
    context = TrainingContext(folder, settings.scale, settings.neural)
    mean = rows.agg(F.avg("rating")).collect()[0][0]
    left = rows.withColumn("rating", (F.col("rating") - mean).cast("float"))

    def fit(rank: int, iterations: int) -> Fitted:
        started = time.perf_counter()
        params = SamplingParams(rank=rank, sweeps=iterations + 1, burn_in=1, samples=1, links=True)
        sample_in_blocks(left, size_of(left, rank=rank), params, seed=1, blocks=0, context=context)
        return Fitted(time.perf_counter() - started, None)

    return fit


def by_implicit(arrays: Any) -> Fit:
    from implicit.als import AlternatingLeastSquares
    from scipy.sparse import csr_matrix

    user, item, _ = arrays
    matrix = csr_matrix((np.full(len(user), ALPHA, np.float32), (user, item)))

    def fit(rank: int, iterations: int) -> Fitted:
        model = AlternatingLeastSquares(rank, regularization=REG, alpha=1.0, iterations=iterations, random_state=1)
        started = time.perf_counter()
        model.fit(matrix, show_progress=False)
        return Fitted(time.perf_counter() - started, None)

    return fit


def _matrix(side: DataFrame, rank: int) -> Any:
    rows = side.toArrow()
    index = rows.column(0).to_numpy()
    matrix = np.zeros((index.max() + 1, rank), np.float32)
    matrix[index] = factor_matrix(rows["factors"], rank)
    return matrix


def _loss(arrays: Any, users: Any, items: Any) -> float:
    user, item, rating = arrays
    total = 0.0
    for start in range(0, len(user), 1 << 20):
        part = slice(start, start + (1 << 20))
        told = np.einsum("ij,ij->i", users[user[part]], items[item[part]])
        total += float(((rating[part] - told) ** 2).sum(dtype=np.float64))
    for index, vectors in ((user, users), (item, items)):
        total += REG * float(np.bincount(index, minlength=len(vectors)) @ (vectors.astype(np.float64) ** 2).sum(axis=1))
    return total


def _peak_worker() -> float:
    """GB of the largest Python process below this one."""
    sizes = [0.0]
    for process in psutil.Process().children(recursive=True):
        try:
            if "python" in process.name():
                sizes.append(process.memory_info().rss / 1e9)
        except psutil.Error:
            pass
    return max(sizes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ratings", type=int, default=22_000_000)
    parser.add_argument("--ranks", type=int, nargs="+", default=[16, 64])
    parser.add_argument("--solvers", nargs="+", default=SOLVERS)
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
        long_tailed(spark, arguments.ratings, seed=1).write.parquet(f"{folder}/ratings")
        rows = spark.read.parquet(f"{folder}/ratings")
        read = rows.toArrow()
        arrays = tuple(read[name].to_numpy() for name in ("user_idx", "item_idx", "rating"))
        positives = rows.withColumn("rating", F.lit(ALPHA).cast("float"))
        print(f"{len(arrays[0]):,} ratings, {USERS:,} users, {ITEMS:,} items, {arguments.master}")
        print(f"| rank | solver | {FEW} iteration, s | {MANY} iterations, s | s per iteration | loss | worker, GB |")
        print("|---|---|---|---|---|---|---|")
        fits: dict[str, Fit] = {}
        for name in arguments.solvers:
            fits[name] = {
                "spark_ml": lambda: by_spark_ml(rows, arrays),
                "als_block": lambda: in_blocks(rows, f"{folder}/run", implicit=False),
                "als_implicit": lambda: in_blocks(positives, f"{folder}/run", implicit=True),
                "bayes_mf": lambda: by_sampling(rows, f"{folder}/run"),
                "implicit": lambda: by_implicit(arrays),
            }[name]()
        for rank in arguments.ranks:
            for name, fit in fits.items():
                if rank == arguments.ranks[0]:
                    fit(2, FEW)  # compiled and warm
                few, many = fit(rank, FEW), fit(rank, MANY)
                each = (many.seconds - few.seconds) / (MANY - FEW)
                loss = "" if many.loss is None else f"{many.loss:,.0f}"
                print(
                    f"| {rank} | {name} | {few.seconds:.1f} | {many.seconds:.1f} | {each:.1f} | {loss} "
                    f"| {_peak_worker():.2f} |", flush=True,
                )  # fmt: skip
        spark.stop()


if __name__ == "__main__":
    main()
