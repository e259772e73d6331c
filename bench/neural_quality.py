"""Rating errors of the networks on random 90/10 splits, beside the means, the baseline and ALS on the same rows.

Of the nine tenths, a twentieth tells the networks when to stop; nobody learns from it. The test rows decide nothing.
A network's seconds an epoch and rows a second are the medians of its epochs.

    PYTHONPATH=lib .venv/bin/python bench/neural_quality.py --data ../shared/data/ml-latest-small --seeds 5
    PYTHONPATH=lib .venv/bin/python bench/neural_quality.py --data ../shared/data/kmrd-small --seeds 5
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from nightreel.models import HYPERPARAMETERS, EpochMetric, TrainingContext, create
from nightreel.prepare import Cache
from nightreel.prepare.text import item_text
from nightreel.session import spark_session
from nightreel.settings import ScaleSettings, Settings, load

MODELS = ["user_mean", "item_mean", "mean_of_means", "weighted_mean", "baseline", "als"]
NETWORKS = ["mf_bias", "deep", "ncf", "neumf", "hybrid"]


@dataclass
class Measured:
    """Of one model, an entry a seed."""

    mse: list[float] = field(default_factory=list)
    epochs: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    rows_per_second: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Data:
    """ratings : grain user x item; user_idx, item_idx, rating; items : grain item; item_idx, text"""

    ratings: DataFrame
    items: DataFrame
    scale: ScaleSettings


def read(spark: SparkSession, folder: Path) -> Data:
    """MovieLens' or KMRD's own files; of KMRD's repeated pairs the latest counts."""
    if (folder / "rates.csv").exists():
        rows = spark.read.csv(
            str(folder / "rates.csv"), header=True, schema="user int, item int, rating float, time long"
        )
        movies = spark.read.csv(
            str(folder / "movies.txt"), header=True, sep="\t", schema="movie int, title string, title_eng string"
        )
        genres = spark.read.csv(str(folder / "genres.csv"), header=True, schema="movie int, genre string")
        titles = movies.select("movie", F.concat_ws(" ", "title", "title_eng").alias("title"))
        named = titles.join(genres.groupBy("movie").agg(F.collect_list("genre").alias("genres")), "movie", "left")
        named, scale = named.withColumnRenamed("movie", "item"), ScaleSettings(lowest=1.0, highest=10.0)
    else:
        rows = spark.read.csv(
            str(folder / "ratings.csv"), header=True, schema="user int, item int, rating float, time long"
        )
        movies = spark.read.csv(
            str(folder / "movies.csv"), header=True, escape='"', schema="item int, title string, genres string"
        )
        named = movies.select("item", "title", F.split("genres", r"\|").alias("genres"))
        scale = ScaleSettings(lowest=0.5, highest=5.0)
    latest = rows.groupBy("user", "item").agg(F.max_by("rating", F.struct("time", "rating")).alias("rating"))
    users, items = (dense(latest, key) for key in ("user", "item"))
    ratings = latest.join(users, "user", "inner").join(items, "item", "inner")
    said = F.concat_ws(" ", "title", "genres")
    return Data(
        ratings.select("user_idx", "item_idx", "rating").persist(),
        named.join(items, "item", "inner").select("item_idx", said.alias("text")).persist(),
        scale,
    )


def dense(rows: DataFrame, key: str) -> DataFrame:
    """The few thousand users or items of a test set, numbered on the driver."""
    values = sorted(row[0] for row in rows.select(key).distinct().collect())
    return rows.sparkSession.createDataFrame(
        list(zip(values, range(len(values)), strict=True)), f"{key} int, {key}_idx int"
    )


def split(ratings: DataFrame, folder: Path, *, seed: int) -> dict[str, DataFrame]:
    place = F.pmod(F.xxhash64("user_idx", "item_idx", F.lit(seed)), F.lit(200))
    part = F.when(place < 20, "test").when(place < 29, "validation").otherwise("train")
    ratings.withColumn("part", part).repartition(1).write.partitionBy("part").parquet(str(folder))
    return {
        name: ratings.sparkSession.read.parquet(f"{folder}/part={name}") for name in ("train", "validation", "test")
    }


def measure(
    name: str,
    parts: dict[str, DataFrame],
    context: TrainingContext,
    settings: Settings,
    measured: Measured,
    *,
    seed: int,
) -> None:
    epochs: dict[str, list[float]] = defaultdict(list)

    def keep(rows: Sequence[EpochMetric]) -> None:
        for row in rows:
            epochs[row.metric.partition("@")[0]].append(row.value)

    model = create(name, settings).fit(parts["train"], seed=seed, context=replace(context, keep_history=keep))
    clipped = F.greatest(F.least("prediction", F.lit(context.scale.highest)), F.lit(context.scale.lowest))
    error = clipped.cast("double") - F.col("rating")
    row = model.predict(parts["test"]).agg(F.avg(error * error)).first()
    measured.mse.append(row[0] if row else float("nan"))
    if epochs:
        measured.epochs.append(epochs["best_epoch"][0])
        measured.seconds.append(statistics.median(epochs["seconds"]))
        measured.rows_per_second.append(statistics.median(epochs["rows_per_second"]))


def print_table(results: dict[str, Measured]) -> None:
    print("| model | RMSE mean | RMSE spread | MSE mean | RMSE of each seed | epochs | s an epoch | rows/s |")
    print("|---|---|---|---|---|---|---|---|")
    for name, of in results.items():
        rmse = [mse**0.5 for mse in of.mse]
        trained = ""
        if of.epochs:
            epochs, seconds, rows = (statistics.median(x) for x in (of.epochs, of.seconds, of.rows_per_second))
            trained = f"{epochs:.0f} | {seconds:.2f} | {rows:,.0f}"
        each = " ".join(f"{value:.4f}" for value in rmse)
        print(
            f"| {name} | {statistics.mean(rmse):.4f} | {max(rmse) - min(rmse):.4f} | {statistics.mean(of.mse):.4f} "
            f"| {each} | {trained or '| |'} |"
        )


def run(folder: Path, data: Data, models: Sequence[str], settings: Settings, seeds: int) -> None:
    results: dict[str, Measured] = {name: Measured() for name in models}
    with Cache() as cache:
        text = item_text(data.items, settings.text, n_items=data.items.count(), cache=cache).weights.persist()
        for seed in range(seeds):
            parts = split(data.ratings, folder / f"seed{seed}", seed=seed)
            files = {name: part.inputFiles() for name, part in parts.items()}
            for name in models:
                context = TrainingContext(
                    folder=str(folder / f"{name}{seed}"),
                    scale=data.scale,
                    launch=settings.neural,
                    validation=parts["validation"],
                    item_text=text,
                    files=files,
                )
                measure(name, parts, context, settings, results[name], seed=seed)
    print_table(results)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="MovieLens' or KMRD's folder")
    parser.add_argument("--seeds", type=int, default=5, help="how many splits")
    parser.add_argument("--models", nargs="+", default=[*MODELS, *NETWORKS])
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        spark = spark_session.start(checkpoints=f"{name}/checkpoints", spark__sql__shuffle__partitions="2")
        data = read(spark, arguments.data)
        source = "kmrd" if (arguments.data / "rates.csv").exists() else "movielens"
        settings = load("local", [f"data.source={source}", *arguments.set], models=HYPERPARAMETERS)
        run(Path(name), data, arguments.models, settings, arguments.seeds)
        spark.stop()


if __name__ == "__main__":
    main()
