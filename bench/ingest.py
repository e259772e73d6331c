"""All of ingest against the pandas recipe on the same generated dump, and against Spark copying the same rows.

Every figure is the median of some rounds; a round runs each program once, in a process of its own, after Spark has
ingested a small dump. CPU seconds count all processes and depend less than seconds on what else the machine does.

    PYTHONPATH=lib .venv/bin/python bench/ingest.py --work /tmp/bench --rows 22000000
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv

MOVIES, USERS, LARGEST_USER = 4_499, 480_189, 2_649_429
WARM_UP_ROWS = 200_000
_TICKS = os.sysconf("SC_CLK_TCK")

Figures = dict[str, float]


def generate(path: Path, *, rows: int, seed: int) -> Path:
    """A dump in the Prize's format: movies in order, few of them with most ratings, user ids of up to 7 digits."""
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    users = random.choice(LARGEST_USER, USERS, replace=False) + 1
    popularity = random.pareto(1.1, MOVIES)
    ratings = random.multinomial(rows, popularity / popularity.sum())
    unfinished = path.with_suffix(".part")
    with unfinished.open("wb") as file:
        for movie, count in enumerate(ratings, 1):
            file.write(f"{movie}:\n".encode())
            days = np.datetime64("1999-11-11") + random.integers(0, 2_243, count)
            columns = [pa.array(random.choice(users, count)), pa.array(random.integers(1, 6, count)), pa.array(days)]
            table = pa.table(columns, names=["user", "rating", "date"])
            csv.write_csv(table, file, csv.WriteOptions(include_header=False))
    return unfinished.rename(path)


def measure_pandas(dump: Path, work: Path) -> Figures:
    """Read the file, find the header rows, give each row its movie, write Parquet."""
    import pandas as pd

    begun = time.perf_counter()
    rows = pd.read_csv(dump, names=["user", "rating", "date"])
    headers = np.flatnonzero(rows["rating"].isna())
    movies = rows["user"].iloc[headers].str.rstrip(":").astype(int).to_numpy()
    rows["movie"] = np.repeat(movies, np.diff(np.append(headers, len(rows))))
    rows = rows[rows["rating"].notna()]
    rows = rows.assign(user=rows["user"].astype(int))
    rows.to_parquet(work / "pandas.parquet")
    seconds = time.perf_counter() - begun
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "seconds": seconds,
        "cpu": used.ru_utime + used.ru_stime,
        "peak_gb": used.ru_maxrss / 1e6,
        "rows": float(len(rows)),
    }


def measure_spark(dump: Path, work: Path, *, master: str, memory: str) -> Figures:
    """Ingest the dump into new tables; then the same rows from Parquet into Delta, and from the dump into nothing."""
    from nightreel.session import spark_session
    from nightreel.settings import load
    from nightreel.sources import ingest
    from nightreel.sources.netflix import NetflixDump
    from nightreel.tables import SCHEMAS, Tables

    folder = work / "spark"
    shutil.rmtree(folder, ignore_errors=True)
    spark = spark_session.start(checkpoints=f"{folder}/ck", spark__master=master, spark__driver__memory=memory)

    parts: Figures = {}

    @contextmanager
    def step(part: str) -> Iterator[None]:
        begun = time.perf_counter()
        yield
        parts[f"part: {part}"] = time.perf_counter() - begun

    def run(file: Path, dataset: str) -> Any:
        settings = load("local", [f"data.path={file}", f"tables.root={folder}", f"tables.dataset={dataset}"])
        return ingest(Tables(spark, settings.tables), settings, ingested_at=datetime(2026, 1, 1, tzinfo=UTC), step=step)

    run(generate(work / "warm_up" / "combined_data_1.txt", rows=WARM_UP_ROWS, seed=1), "warm_up")
    report, figures = _timed(lambda: run(dump, "full"))
    figures |= {"peak_gb": _peak_of_workers_gb(), "rows": float(report.rows_kept), **parts}

    source = NetflixDump(load("local", [f"data.path={dump}"]))
    files = dict(enumerate(source.find().ratings, 1))
    to_nothing = source.ratings(spark, files).write.format("noop").mode("overwrite")
    _, read = _timed(to_nothing.save)

    parquet = f"{folder}/parquet"
    spark.read.format("delta").load(f"{folder}/full/bronze_ratings").write.parquet(parquet)
    copy = spark.read.parquet(parquet).write.format("delta").options(**SCHEMAS["bronze_ratings"].properties)
    _, copied = _timed(lambda: copy.save(f"{folder}/copy"))
    spark.stop()
    figures |= {f"read: {name}": value for name, value in read.items()}
    return figures | {f"copy: {name}": value for name, value in copied.items()}


def _timed(action: Callable[[], Any]) -> tuple[Any, Figures]:
    begun, cpu = time.perf_counter(), _cpu_of_family()
    result = action()
    return result, {"seconds": time.perf_counter() - begun, "cpu": _cpu_of_family() - cpu}


def _family() -> list[Path]:
    """This process and all below it, the JVM and the Python workers among them, as folders of /proc."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue  # ended meanwhile
    family = [os.getpid()]
    for member in family:
        family += [child for child, parent in parents.items() if parent == member]
    return [Path(f"/proc/{member}") for member in family]


def _cpu_of_family() -> float:
    fields = ((member / "stat").read_text().rpartition(")")[2].split() for member in _family())
    return sum(sum(map(int, field[11:15])) for field in fields) / _TICKS


def _peak_of_workers_gb() -> float:
    workers = [member for member in _family() if b"pyspark.daemon" in (member / "cmdline").read_bytes()]
    lines = (line for worker in workers for line in (worker / "status").read_text().splitlines())
    return max((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), default=0) / 1e6


def rounds(arguments: argparse.Namespace) -> dict[str, Figures]:
    """The medians of each program's figures."""
    programs = {"pandas": ["--measure", "pandas"]}
    for cores in arguments.cores:
        programs[f"ingest, {cores} core{'s' * (cores > 1)}"] = ["--measure", "spark", "--master", f"local[{cores}]"]
    measured: dict[str, list[Figures]] = {name: [] for name in programs}
    common = ["--work", str(arguments.work), "--rows", str(arguments.rows), "--memory", arguments.memory]
    for number in range(arguments.rounds):
        for name, options in programs.items():
            command = [sys.executable, __file__, *common, *options]
            output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            measured[name].append(json.loads(output.splitlines()[-1]))
            print(f"round {number + 1}, {name}: {measured[name][-1]}", file=sys.stderr, flush=True)
    return {
        name: {figure: median(one[figure] for one in figures) for figure in figures[0]}
        for name, figures in measured.items()
    }


def show(medians: dict[str, Figures]) -> None:
    pandas = medians["pandas"]["seconds"]
    print("| program | rows | s | of pandas | CPU s | peak GB |\n|---|---|---|---|---|---|")
    for name, figures in medians.items():
        print(
            f"| {name} | {figures['rows']:,.0f} | {figures['seconds']:.1f} | {figures['seconds'] / pandas:.2f} "
            f"| {figures['cpu']:.1f} | {figures['peak_gb']:.2f} |"
        )
    print("\n| ingest's parts, s | " + " | ".join(name for name in medians if name != "pandas") + " |")
    print("|---" * len(medians) + "|")
    spark = [figures for name, figures in medians.items() if name != "pandas"]
    for part in (name for name in spark[0] if name.startswith("part: ")):
        print(f"| {part.removeprefix('part: ')} | " + " | ".join(f"{one[part]:.1f}" for one in spark) + " |")
    for name, label in (("read", "reading alone, into nothing"), ("copy", "copying the rows, Parquet to Delta")):
        print(f"| {label} | " + " | ".join(f"{one[f'{name}: seconds']:.1f}" for one in spark) + " |")
    print("| ingest / copy | " + " | ".join(f"{one['seconds'] / one['copy: seconds']:.2f}" for one in spark) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="a folder for dumps (kept) and tables")
    parser.add_argument("--rows", type=int, default=22_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cores", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--memory", default="3g")
    parser.add_argument("--measure", choices=["pandas", "spark"], help=argparse.SUPPRESS)
    parser.add_argument("--master", default="local[2]", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    dump = generate(arguments.work / str(arguments.rows) / "combined_data_1.txt", rows=arguments.rows, seed=0)
    if arguments.measure == "pandas":
        print(json.dumps(measure_pandas(dump, arguments.work)))
    elif arguments.measure == "spark":
        print(json.dumps(measure_spark(dump, arguments.work, master=arguments.master, memory=arguments.memory)))
    else:
        show(rounds(arguments))


if __name__ == "__main__":
    main()
