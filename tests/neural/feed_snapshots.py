"""Snapshots small enough to check by hand: every row can be told from every other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from nightreel.neural.feed import Batch, Feed, open_feed
from nightreel.neural.process import Process

CPU = torch.device("cpu")

Row = tuple[int, int, float]


def table(first: int, rows: int) -> pa.Table:
    """Row n of the snapshot: user n, item 7 n, rating n % 10 / 2; with columns that the feed has no use for."""
    numbers = np.arange(first, first + rows)
    return pa.table(
        {
            "user_idx": pa.array(numbers, pa.int32()),
            "title": pa.array([f"film {number}" for number in numbers], pa.string()),
            "rating": pa.array(numbers % 10 / 2, pa.float32()),
            "rated_at": pa.array(numbers * 1_000_000, pa.timestamp("us")),
            "rating_count": pa.array(numbers, pa.int64()),
            "item_idx": pa.array(numbers * 7, pa.int32()),
        }
    )


def write_snapshot(folder: Path, files: Sequence[Sequence[int]]) -> list[str]:
    """A file for each list, with a row group for each of its numbers of rows."""
    place = folder / "silver_interactions" / "split=train"
    place.mkdir(parents=True)
    paths, first = [], 0
    for number, groups in enumerate(files):
        paths.append(str(place / f"part-{number:05}.c000.snappy.parquet"))
        with pq.ParquetWriter(paths[-1], table(0, 0).schema) as writer:
            for rows in groups:
                writer.write_table(table(first, rows))
                first += rows
    return paths


def rows_of(batches: Iterable[Batch]) -> list[Row]:
    return [
        row
        for batch in batches
        for row in zip(batch.users.tolist(), batch.items.tolist(), batch.ratings.tolist(), strict=True)
    ]


def all_rows(count: int) -> Counter[Row]:
    return Counter((number, number * 7, number % 10 / 2) for number in range(count))


def feeds(files: Sequence[str], *, mode, batch_size: int, world_size: int, seed: int = 1, shuffle=True) -> list[Feed]:
    """The feed of every rank, all in this process."""
    return [
        open_feed(files, Process(rank, world_size, CPU), mode=mode, batch_size=batch_size, seed=seed, shuffle=shuffle)
        for rank in range(world_size)
    ]
