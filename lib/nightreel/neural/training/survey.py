"""What Parquet files of ratings say of users, items and scale, for a training without tables around it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import torch

from nightreel.errors import DataError
from nightreel.neural.feed import Batch, open_feed
from nightreel.neural.networks.domain import Domain

_ROWS_AT_ONCE = 1 << 20


def parquet_files(folder: Path) -> tuple[str, ...]:
    """Of a folder and those in it, in the order of their paths; without hidden ones, such as Delta's log.

    Raises
    ------
    DataError : there are none
    """
    found = sorted(
        str(file.resolve())
        for file in folder.rglob("*.parquet")
        if not any(part.startswith((".", "_")) for part in file.relative_to(folder).parts)
    )
    if not found:
        raise DataError(f"{folder}: no .parquet files in it")
    return tuple(found)


def survey(train: Sequence[str], others: Sequence[str] = ()) -> Domain:
    """Users and items up to the largest index in any file; scale and mean of the ratings to train on.

    Raises
    ------
    DataError : a file cannot be read, lacks a column or holds null; there are no rows
    """
    users = items = rows = 0
    total, lowest, highest = 0.0, float("inf"), float("-inf")
    for batch in every_row(train):
        rows, total = rows + len(batch), total + float(batch.ratings.sum(dtype=torch.float64))
        lowest, highest = min(lowest, float(batch.ratings.min())), max(highest, float(batch.ratings.max()))
    for batch in every_row([*train, *others]):
        users, items = max(users, int(batch.users.max()) + 1), max(items, int(batch.items.max()) + 1)
    return Domain(users=users, items=items, lowest=lowest, highest=highest, mean=total / rows)


def every_row(files: Sequence[str]) -> Iterator[Batch]:
    """All rows of the files, in order and on the CPU, whatever the rank."""
    feed = open_feed(
        files,
        mode="stream",
        batch_size=_ROWS_AT_ONCE,
        rank=0,
        world_size=1,
        seed=0,
        device=torch.device("cpu"),
        shuffle=False,
    )
    with closing(feed):
        yield from feed.epoch(0)
