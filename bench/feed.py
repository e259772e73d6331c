"""Rows a second out of Parquet files: petastorm's own loaders, and nightreel's stream and resident feeds.

Everything reads the same generated files in Delta's form in the same process. A figure is the median of some rounds; in
a round each program gives one epoch, or as much of it as fits --seconds (DataLoader would take a minute). petastorm's
loaders give int32 columns and, unless a shuffling queue is asked for, each row group in the order of the file.

The last lines are what memory allows: the kept columns read in random order by index_select, and read in order, both
with the cast to int64 that a batch needs.

    PYTHONPATH=lib .venv/bin/python bench/feed.py --work /tmp/bench --rows 20000000 --rounds 3
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from nightreel.neural.feed import Mode, open_feed
from nightreel.neural.feed.chunks import BUFFER_ROWS
from nightreel.neural.feed.petastorm import install
from nightreel.neural.process import Process

USERS, ITEMS = 480_189, 17_770
GROUPS_A_FILE = 4
COLUMNS = ("user_idx", "item_idx", "rating")
ALONE = Process(rank=0, world_size=1, device=torch.device("cpu"))

Lengths: TypeAlias = Iterator[int]
"""Of the batches of one epoch."""


def main() -> None:
    given = arguments()
    torch.set_num_threads(given.cores)
    warnings.filterwarnings("ignore", module="petastorm")
    files = generate(Path(given.work), rows=given.rows, group_rows=given.group_rows)
    install()
    print(f"{given.rows:,} rows in {len(files)} files, row groups of {given.group_rows:,}, {given.cores} cores")
    print(f"M rows/s, median of {given.rounds} rounds, by batch size\n")
    print(f"| program | {' | '.join(f'{size:,}' for size in given.batch_sizes)} |")
    print(f"|---|{'---|' * len(given.batch_sizes)}")
    for name, epoch in programs(files, given).items():
        measured = [median(speeds(epoch, size, given)) for size in given.batch_sizes]
        print(f"| {name} | {' | '.join(f'{speed / 1e6:.2f}' for speed in measured)} |", flush=True)
    for name, speed in memory(given.rows, given.rounds).items():
        print(f"| {name} | {' | '.join([f'{speed / 1e6:.2f}'] * len(given.batch_sizes))} |")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", default="/tmp/nightreel-bench-feed", help="folder for the generated files, kept")
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--group-rows", type=int, default=1 << 20)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[1 << 10, 1 << 14, 1 << 16])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=15.0, help="at most, for one epoch")
    parser.add_argument("--cores", type=int, default=2)
    return parser.parse_args()


def generate(work: Path, *, rows: int, group_rows: int) -> list[str]:
    """Files of GROUPS_A_FILE row groups, as Spark writes them; those of an earlier run with the same numbers stay."""
    wanted, done = {"rows": rows, "group_rows": group_rows}, work / "feed" / "done.json"
    folder = done.parent / "split=train"
    if not done.exists() or json.loads(done.read_text()) != wanted:
        shutil.rmtree(done.parent, ignore_errors=True)
        folder.mkdir(parents=True)
        random, a_file = np.random.default_rng(1), group_rows * GROUPS_A_FILE
        for number, start in enumerate(range(0, rows, a_file)):
            table = ratings(min(a_file, rows - start), random)
            pq.write_table(table, folder / f"part-{number:05}.snappy.parquet", row_group_size=group_rows)
        done.write_text(json.dumps(wanted))
    return sorted(str(path) for path in folder.glob("*.parquet"))


def ratings(rows: int, random: np.random.Generator) -> pa.Table:
    return pa.table(
        {
            "user_idx": (USERS * random.random(rows) ** 2).astype(np.int32),
            "item_idx": (ITEMS * random.random(rows) ** 3).astype(np.int32),
            "rating": random.integers(1, 6, rows).astype(np.float32),
            "rated_at": pa.array(random.integers(0, 2**31, rows) * 1_000_000, pa.timestamp("us")),
        }
    )


def programs(files: list[str], given: argparse.Namespace) -> dict[str, Callable[[int], Lengths]]:
    """By name, what gives an epoch of batches of a size."""
    quarter = BUFFER_ROWS // 4
    return {
        "petastorm DataLoader, files' order": lambda size: petastorms("DataLoader", files, size, 0),
        "petastorm BatchedDataLoader, files' order": lambda size: petastorms("BatchedDataLoader", files, size, 0),
        f"petastorm BatchedDataLoader, queue of {quarter:,}": lambda size: petastorms(
            "BatchedDataLoader", files, size, quarter
        ),
        f"petastorm BatchedDataLoader, queue of {BUFFER_ROWS:,}": lambda size: petastorms(
            "BatchedDataLoader", files, size, BUFFER_ROWS
        ),
        "stream, files' order": feed(files, "stream", given, shuffle=False),
        f"stream, buffer of {BUFFER_ROWS:,}": feed(files, "stream", given),
        "resident": feed(files, "resident", given),
    }


def petastorms(loader: str, files: list[str], batch_size: int, queue: int) -> Lengths:
    # Importable only once installed.
    from petastorm import pytorch
    from petastorm.reader import make_batch_reader

    urls = [f"file://{file}" for file in files]
    reader: Any = make_batch_reader(urls, schema_fields=[f"^{name}$" for name in COLUMNS], seed=1)
    try:
        for batch in getattr(pytorch, loader)(reader, batch_size=batch_size, shuffling_queue_capacity=queue):
            yield len(batch["rating"])
    finally:
        reader.stop()
        reader.join()


def feed(files: list[str], mode: Mode, given: argparse.Namespace, *, shuffle: bool = True) -> Callable[[int], Lengths]:
    """Opened, and a resident one loaded, once for each batch size and outside what is measured."""
    opened: dict[int, Any] = {}

    def epoch(batch_size: int) -> Lengths:
        if batch_size not in opened:
            opened.clear()
            opened[batch_size] = open_feed(files, ALONE, mode=mode, batch_size=batch_size, seed=1, shuffle=shuffle)
        return (len(batch) for batch in opened[batch_size].epoch(given.rounds))

    return epoch


def speeds(epoch: Callable[[int], Lengths], batch_size: int, given: argparse.Namespace) -> list[float]:
    """Rows a second of each round."""
    found = []
    for _ in range(given.rounds):
        lengths, rows = epoch(batch_size), 0
        begun = time.perf_counter()
        for length in lengths:
            rows += length
            if time.perf_counter() - begun > given.seconds:
                break
        found.append(rows / (time.perf_counter() - begun))
        del lengths
    return found


def memory(rows: int, rounds: int) -> dict[str, float]:
    """Rows a second of the two plainest ways to read columns kept in memory."""
    users, items = (torch.randint(0, most, (rows,), dtype=torch.int32) for most in (USERS, ITEMS))
    scores = torch.rand(rows)
    order = torch.randperm(rows)
    parts = [slice(start, start + (1 << 16)) for start in range(0, rows, 1 << 16)]

    def at_random() -> None:
        for part in parts:
            places = order[part]
            users.index_select(0, places).long(), items.index_select(0, places).long(), scores.index_select(0, places)

    def in_order() -> None:
        for part in parts:
            users[part].long(), items[part].long(), scores[part].clone()

    found = {}
    for name, read in (("memory: index_select in random order", at_random), ("memory: read in order", in_order)):
        seconds = []
        for _ in range(rounds + 1):
            begun = time.perf_counter()
            read()
            seconds.append(time.perf_counter() - begun)
        found[name] = rows / median(seconds[1:])
    return found


if __name__ == "__main__":
    main()
