"""The top-N engine against Spark ML's recommendForAllUsers, on the same generated factors in the same session.

Every figure is the median of some rounds; a round runs each program once, after a round that warms up. CPU seconds
count the JVM and all Python workers and depend less than seconds on what else the machine does. Both score the same
vectors without biases, so the sets can be compared: users whose sets differ are counted, and among them those whose
sets differ only in items that score as the n-th does, to within the rounding of float32.

    PYTHONPATH=lib .venv/bin/python bench/topn.py --work /tmp/bench
    PYTHONPATH=lib .venv/bin/python bench/topn.py --work /tmp/bench --rank 64 --users 100000
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pyspark
from pyspark.ml.recommendation import ALSModel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from nightreel.models.engine.top_n import top_n
from nightreel.session import spark_session

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_MIB = os.sysconf("SC_PAGE_SIZE") / 2**20
_ROUNDING = 1e-5


@dataclass
class Figures:
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    worker_mib: float = 0.0


def main() -> None:
    given = arguments()
    work = Path(given.work)
    generate(work, given)
    spark = spark_session.start(
        checkpoints=str(work / "checkpoints"),
        spark__master=f"local[{given.cores}]",
        spark__driver__memory=given.memory,
        spark__log__level="ERROR",
    )
    programs = programs_of(spark, work, given.n)
    figures = {name: Figures() for name in programs}
    for round_ in range(given.rounds + 1):
        for name, recommend in programs.items():
            measured = measure(recommend)
            if round_:
                figures[name].seconds.append(measured[0])
                figures[name].cpu_seconds.append(measured[1])
                figures[name].worker_mib = max(figures[name].worker_mib, measured[2])
    print_table(figures, given)
    if not given.skip_comparison:
        print_comparison(programs["recommendForAllUsers"](), programs["nightreel"](), given.n)
    spark.stop()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", required=True, help="a folder for the generated factors, kept for the next time")
    parser.add_argument("--users", type=int, default=465_000)
    parser.add_argument("--items", type=int, default=4_500)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--n", type=int, default=10)
    parser.add_argument("--seen", type=int, default=48, help="items each user has seen")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--memory", default="3g", help="of the JVM")
    parser.add_argument("--skip-comparison", action="store_true", help="of the sets")
    return parser.parse_args()


def generate(work: Path, given: argparse.Namespace) -> None:
    """An ALSModel as Spark ML saves it, and pairs seen, in no order."""
    wanted = {name: getattr(given, name) for name in ("users", "items", "rank", "seen")}
    done = work / "generated.json"
    if done.exists() and json.loads(done.read_text()) == wanted:
        return
    shutil.rmtree(work / "model", ignore_errors=True)
    shutil.rmtree(work / "seen", ignore_errors=True)
    random = np.random.default_rng(0)
    for side, rows in (("userFactors", given.users), ("itemFactors", given.items)):
        values = random.normal(size=rows * given.rank).astype(np.float32) / np.float32(given.rank**0.5)
        lists = pa.ListArray.from_arrays(np.arange(rows + 1, dtype=np.int32) * given.rank, values)
        table = pa.table({"id": np.arange(rows, dtype=np.int32), "features": lists})
        write_parquet(work / "model" / side, table)
    pairs = random.permutation(given.users * given.seen)
    seen: dict[str, npt.NDArray[np.int32]] = {
        "user_idx": (pairs % given.users).astype(np.int32),
        "item_idx": random.integers(0, given.items, len(pairs), dtype=np.int32),
    }
    write_parquet(work / "seen", pa.table(seen))
    metadata = {
        "class": "org.apache.spark.ml.recommendation.ALSModel",
        "timestamp": 0,
        "sparkVersion": pyspark.__version__,
        "uid": "ALSModel_bench",
        "paramMap": {"userCol": "user", "itemCol": "item"},
        "defaultParamMap": {"predictionCol": "prediction", "blockSize": 4096, "coldStartStrategy": "nan"},
        "rank": given.rank,
    }
    (work / "model" / "metadata").mkdir()
    (work / "model" / "metadata" / "part-00000").write_text(json.dumps(metadata) + "\n")
    done.write_text(json.dumps(wanted))


def write_parquet(folder: Path, table: pa.Table, files: int = 8) -> None:
    folder.mkdir(parents=True)
    rows = -(-len(table) // files)
    for number in range(files):
        pq.write_table(table.slice(number * rows, rows), folder / f"part-{number}.parquet")


def programs_of(spark: SparkSession, work: Path, n: int) -> dict[str, Callable[[], DataFrame]]:
    model = ALSModel.load(str(work / "model"))
    bias = F.lit(0.0).cast("float").alias("bias")
    factors = F.col("features").alias("factors")
    users = model.userFactors.select(F.col("id").alias("user_idx"), bias, factors)
    items = model.itemFactors.select(F.col("id").alias("item_idx"), bias, factors)
    seen = spark.read.parquet(str(work / "seen"))
    return {
        "recommendForAllUsers": lambda: model.recommendForAllUsers(n),
        "nightreel": lambda: top_n(users, items, n=n, seen=None),
        "nightreel, seen items left out": lambda: top_n(users, items, n=n, seen=seen),
    }


def measure(recommend: Callable[[], DataFrame]) -> tuple[float, float, float]:
    """Seconds, CPU seconds, and the largest Python worker's peak of resident MiB."""
    peak, ended = [0.0], threading.Event()

    def watch() -> None:
        while not ended.wait(0.1):
            peak[0] = max([peak[0], *worker_mib()])

    watcher = threading.Thread(target=watch)
    watcher.start()
    begun, cpu_begun = time.perf_counter(), cpu_seconds()
    recommend().write.format("noop").mode("overwrite").save()
    seconds, cpu = time.perf_counter() - begun, cpu_seconds() - cpu_begun
    ended.set()
    watcher.join()
    return seconds, cpu, peak[0]


def processes() -> Iterator[tuple[Path, list[str]]]:
    """This process and its descendants, each with the fields of its stat file after its name."""
    found: dict[int, list[str]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                found[int(folder.name)] = (folder / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended meanwhile
    for number, fields in found.items():
        ancestor = number
        while ancestor in found and ancestor != os.getpid():
            ancestor = int(found[ancestor][1])
        if ancestor == os.getpid():
            yield Path("/proc") / str(number), fields


def cpu_seconds() -> float:
    """Of all processes here, and of their children that have ended."""
    return sum(sum(map(int, fields[11:15])) for _, fields in processes()) / _TICKS


def worker_mib() -> list[float]:
    sizes = []
    for folder, fields in processes():
        try:
            if b"pyspark.daemon" in (folder / "cmdline").read_bytes():
                sizes.append(int(fields[21]) * _PAGE_MIB)
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
    return sizes


def print_table(figures: dict[str, Figures], given: argparse.Namespace) -> None:
    print(f"\n{given.users:,} users x {given.items:,} items, rank {given.rank}, n {given.n}, seen {given.seen} a user")
    print(f"{given.cores} cores, medians of {given.rounds} rounds\n")
    print("| program | seconds | times as fast | CPU seconds | times less CPU | Python worker, peak MiB |")
    print("|---|---|---|---|---|---|")
    yardstick = figures["recommendForAllUsers"]
    for name, of in figures.items():
        seconds, cpu = median(of.seconds), median(of.cpu_seconds)
        faster, less = median(yardstick.seconds) / seconds, median(yardstick.cpu_seconds) / cpu
        memory = "" if of is yardstick else f"{of.worker_mib:.0f}"  # Spark ML's stays in the JVM
        print(f"| {name} | {seconds:.1f} | {faster:.1f} | {cpu:.1f} | {less:.1f} | {memory} |")


def print_comparison(theirs: DataFrame, ours: DataFrame, n: int) -> None:
    """Sets of the n best of every user, and whether equal scores explain where they differ."""
    their_rows = theirs.select("user", F.explode("recommendations").alias("best")).select(
        F.col("user").alias("user_idx"), "best.item", F.col("best.rating").alias("their_score")
    )
    our_rows = ours.select("user_idx", F.col("item_idx").alias("item"), F.col("score").alias("our_score"))
    joined = their_rows.join(our_rows, ["user_idx", "item"], "full")
    alone = F.col("their_score").isNull() | F.col("our_score").isNull()
    score = F.coalesce("their_score", "our_score")
    users = joined.groupBy("user_idx").agg(
        F.count_if(alone).alias("alone"),
        F.max(F.when(alone, score)).alias("best_alone"),
        F.min(score).alias("lowest"),
        F.max(F.abs(F.col("their_score") - F.col("our_score"))).alias("apart"),
    )
    explained = F.col("best_alone") - F.col("lowest") <= _ROUNDING * F.greatest(F.abs("lowest"), F.lit(1.0))
    found = users.agg(
        F.count("*").alias("users"),
        F.count_if(F.col("alone") > 0).alias("different"),
        F.count_if((F.col("alone") > 0) & explained).alias("explained"),
        F.max("apart").alias("apart"),
    ).first()
    if found is None:
        raise RuntimeError("no users to compare")
    print(f"\nSets of {n} where no item is left out: {found['users']:,} users, {found['different']:,} differ,")
    print(f"{found['explained']:,} of them only in items that score as the {n}th does (within {_ROUNDING:g});")
    print(f"scores of the same pair at most {found['apart']:.2g} apart.")


if __name__ == "__main__":
    main()
