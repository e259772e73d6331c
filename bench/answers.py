"""Seconds of the `nightreel` commands, each a process of its own, on tables as large as the Netflix Prize's.

PYTHONPATH=lib .venv/bin/python bench/answers.py --work /tmp/bench/answers
PYTHONPATH=lib .venv/bin/python bench/answers.py --tables demo/tables --user 1488844 --title 'a title'
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from deltalake import write_deltalake
from deltalake.transaction import CommitProperties

from nightreel.tables import SCHEMAS

USERS, ITEMS, RANK, KEPT, LENGTH = 480_000, 17_770, 64, 500, 10
USERS_AT_ONCE = 20_000
TODAY = date(2005, 12, 31)
WORDS = [
    "night",
    "reel",
    "river",
    "stone",
    "garden",
    "winter",
    "glass",
    "empire",
    "letter",
    "harbour",
    "silent",
    "paper",
    "crimson",
    "orchard",
    "signal",
]
PREPARE = "generated"


def write(root: Path, table: str, rows: pa.Table | Iterator[pa.RecordBatch], schema: pa.Schema | None = None) -> None:
    data: Any = rows if schema is None else pa.RecordBatchReader.from_batches(schema, rows)
    stamp = CommitProperties(custom_metadata={"userMetadata": PREPARE})
    partitions = [*SCHEMAS[table].partitions] or None
    write_deltalake(root / "netflix" / table, data, partition_by=partitions, commit_properties=stamp)
    print(f"wrote {table}", file=sys.stderr)


def lists(values: np.ndarray, kind: pa.DataType) -> pa.Array:
    ends = pa.array(np.arange(len(values) + 1, dtype=np.int32) * values.shape[1])
    return pa.ListArray.from_arrays(ends, pa.array(values.ravel(), kind))


def side(run_id: str, name: str, index: np.ndarray, rank: int, random: np.random.Generator) -> pa.RecordBatch:
    return pa.record_batch(
        {
            "run_id": pa.array([run_id] * len(index)),
            f"{name}_idx": pa.array(index, pa.int32()),
            "bias": pa.array(random.normal(0, 0.1, len(index)), pa.float32()),
            "factors": lists(random.normal(0, 0.3, (len(index), rank)), pa.float32()),
            "mean_rating": pa.array(np.full(len(index), 3.6), pa.float32()),
        }
    )


def generate(root: Path, ratings: int) -> None:
    """Random tables of two runs, ease (whose lists are published) and als_implicit; rows of a user lie together."""
    random = np.random.default_rng(0)
    titles = [" ".join(random.choice(WORDS, 3)).title() + f" {number}" for number in range(ITEMS)]
    counts = np.maximum(random.lognormal(np.log(ratings / USERS) - 0.5, 1.0, USERS).astype(int), 5)
    users = np.arange(USERS)
    write(root, "silver_users", pa.table({"user_idx": pa.array(users, pa.int32()), "user_id": pa.array(users + 1),
        "n_ratings": pa.array(counts), "mean_rating": pa.array(np.full(USERS, 3.6))}))  # fmt: skip
    write(root, "silver_items", pa.table({"item_idx": pa.array(np.arange(ITEMS), pa.int32()),
        "item_id": pa.array(np.arange(ITEMS) + 1), "n_ratings": pa.array(random.integers(1, 200_000, ITEMS)),
        "mean_rating": pa.array(random.uniform(2, 4.5, ITEMS)), "title": titles,
        "year": pa.array(random.integers(1930, 2005, ITEMS), pa.int32()),
        "genres": pa.array([["Drama"]] * ITEMS, pa.list_(pa.string())),
        "overview": pa.array(["A night that nobody forgets. " * 10] * ITEMS),
        "metadata_id": pa.nulls(ITEMS, pa.int64()), "matched_by": pa.nulls(ITEMS, pa.string())}))  # fmt: skip

    def interactions() -> Iterator[pa.RecordBatch]:
        for first in range(0, USERS, USERS_AT_ONCE):
            own = users[first : first + USERS_AT_ONCE]
            of = np.repeat(own, counts[own])
            yield pa.record_batch({"user_idx": pa.array(of, pa.int32()),
                "item_idx": pa.array(random.integers(0, ITEMS, len(of)), pa.int32()),
                "rating": pa.array(random.integers(1, 6, len(of)), pa.float32()),
                "rated_at": pa.array(np.full(len(of), 0), pa.timestamp("us", "UTC")),
                "split": pa.array(["train"] * len(of))})  # fmt: skip

    schema = pa.schema([("user_idx", pa.int32()), ("item_idx", pa.int32()), ("rating", pa.float32()),
        ("rated_at", pa.timestamp("us", "UTC")), ("split", pa.string())])  # fmt: skip
    write(root, "silver_interactions", interactions(), schema)
    rule = {"axis": "item", "combine": "rank", "k": 0, "min_support": 1, "min_rating": 4.0, "below": 0.25}
    can = ["recommend", "similar"]
    headers = {
        "ease": ("neighbours", 0, {"rule": rule, "global_mean": 3.6, "capabilities": can}),
        "als_implicit": ("factors", RANK, {"mean": 0.0, "global_mean": 3.6, "rank": RANK, "capabilities": can,
            "fold_in": {"kind": "implicit", "reg": 1.0, "alpha": 10.0, "min_rating": 4.0}}),
    }  # fmt: skip
    now = datetime.now(UTC)
    for name, (form, rank, header) in headers.items():
        run = {"run_id": name, "run_date": TODAY, "model": name, "params": "{}", "seed": 0, "interactions_version": 0,
            "prepare_id": PREPARE, "code_version": "0", "started_at": now, "finished_at": now, "status": "finished",
            "form": form, "header": json.dumps(header)}  # fmt: skip
        path = root / "netflix" / "gold_runs"
        write_deltalake(path, pa.Table.from_pylist([run]), mode="append")
        batches = [
            side(name, "user", users[i : i + USERS_AT_ONCE], rank, random) for i in range(0, USERS, USERS_AT_ONCE)
        ]
        for kind, rows in (("user", batches), ("item", [side(name, "item", np.arange(ITEMS), rank, random)])):
            path = root / "netflix" / f"gold_{kind}_factors"
            write_deltalake(path, pa.Table.from_batches(rows), mode="append", partition_by=["run_id"])
    near = random.integers(0, ITEMS, (ITEMS, KEPT))
    write(root, "gold_neighbours", pa.table({"run_id": ["ease"] * ITEMS, "idx": pa.array(np.arange(ITEMS), pa.int32()),
        "scale": pa.array(np.ones(ITEMS), pa.float32()), "neighbours": lists(near, pa.int32()),
        "weights": lists(-np.sort(-random.normal(0, 0.05, near.shape), axis=1), pa.float32())}))  # fmt: skip
    metric = {"run_id": "ease", "run_date": TODAY, "model": "ease", "split": "test", "metric": "ndcg@10", "value": 0.3,
        "rows": USERS}  # fmt: skip
    write(root, "gold_metrics", pa.Table.from_pylist([metric]))
    chosen = random.integers(0, ITEMS, (USERS, LENGTH))
    write(root, "gold_recommendations", pa.table({"run_id": ["ease"] * chosen.size, "run_date": [TODAY] * chosen.size,
        "user_id": pa.array(np.repeat(users + 1, LENGTH)),
        "rank": pa.array(np.tile(np.arange(1, LENGTH + 1), USERS), pa.int32()),
        "item_id": pa.array(chosen.ravel() + 1), "title": pa.array([titles[item] for item in chosen.ravel()]),
        "score": pa.array(np.ones(chosen.size), pa.float32())}))  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, help="a folder for generated tables, kept for the next time")
    parser.add_argument("--ratings", type=int, default=100_000_000)
    parser.add_argument("--tables", help="these tables instead")
    parser.add_argument("--user", default="240000")
    parser.add_argument("--title", default="17")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    if not arguments.tables and not (arguments.work / "netflix" / "gold_recommendations").exists():
        generate(arguments.work, arguments.ratings)
    root, user, title = arguments.tables or str(arguments.work), arguments.user, arguments.title
    questions = [["recommend", user], ["recommend", user, "--model", "als_implicit"], ["similar", title],
        ["similar", title, "--model", "als_implicit"], ["explain", user, title], ["rate", "--like", title],
        ["explain", user, title, "--model", "als_implicit"], ["rate", "--like", title, "--model", "als_implicit"],
        ["popular"], ["best"], ["search", "night"], ["runs"], ["metrics"], ["tables"]]  # fmt: skip
    for question in questions:
        seconds = []
        for _ in range(arguments.rounds):
            started = time.perf_counter()
            command = [sys.executable, "-m", "nightreel.cli", *question, "--tables", root]
            ended = subprocess.run(command, capture_output=True, text=True, check=False)
            seconds.append(time.perf_counter() - started)
        said = "" if ended.returncode == 0 else f"  exit {ended.returncode}: {ended.stderr.strip()[:120]}"
        print(f"{' '.join(question):44}{np.median(seconds):6.2f} s{said}", flush=True)


if __name__ == "__main__":
    main()
