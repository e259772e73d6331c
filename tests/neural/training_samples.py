"""Feeds that lie in memory, planted ratings and specifications for the tests of training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from tests.neural.network_samples import PARAMS
from torch import Tensor

from nightreel.neural.feed import Batch
from nightreel.neural.networks.params import Domain
from nightreel.neural.process import Process
from nightreel.neural.training.spec import Recipe, TrainingSpec

ALONE = Process(rank=0, world_size=1, device=torch.device("cpu"))


@dataclass(frozen=True)
class Ratings:
    """users, items : (n,) int64; ratings : (n,) float32"""

    users: Tensor
    items: Tensor
    ratings: Tensor

    def __getitem__(self, rows: Tensor | slice) -> Ratings:
        return Ratings(self.users[rows], self.items[rows], self.ratings[rows])

    def __len__(self) -> int:
        return len(self.users)

    def write(self, file: Path) -> Path:
        """As the feed wants it; returns the file."""
        file.parent.mkdir(parents=True, exist_ok=True)
        columns = {
            "user_idx": pa.array(self.users.numpy(), pa.int32()),
            "item_idx": pa.array(self.items.numpy(), pa.int32()),
            "rating": pa.array(self.ratings.numpy(), pa.float32()),
        }
        pq.write_table(pa.table(columns), file)
        return file


class MemoryFeed:
    """The rows in order, `batch_size` a step over all ranks; of each step rank 0 takes the larger part.

    With `shuffle`, in an order of its own for every epoch, the same for any number of ranks.
    """

    def __init__(self, rows: Ratings, batch_size: int, process: Process = ALONE, *, shuffle: bool = False) -> None:
        self._all, self._batch_size, self._process, self._shuffle = rows, batch_size, process, shuffle
        self.rows = len(rows)
        self.steps = -(-len(rows) // batch_size)

    def epoch(self, number: int) -> Iterator[Batch]:
        order = torch.arange(self.rows)
        if self._shuffle:
            order = torch.randperm(self.rows, generator=torch.Generator().manual_seed(number))
        for step in order.split(self._batch_size):
            rows = self._all[self._part(step)]
            weight = self._process.world_size * len(rows) / len(step)
            yield Batch(rows.users, rows.items, rows.ratings, weight)

    def close(self) -> None:
        pass

    def _part(self, step: Tensor) -> Tensor:
        """Two thirds for rank 0, and all where there are fewer than four: then rank 1 has an empty batch."""
        if self._process.world_size == 1:
            return step
        cut = len(step) if len(step) < 4 else len(step) * 2 // 3
        return step[:cut] if self._process.rank == 0 else step[cut:]


def recipe(**changes: Any) -> Recipe:
    """Eight epochs of steps of 64, without penalties."""
    settings: dict[str, Any] = {
        "batch_size": 64,
        "epochs": 8,
        "patience": 0,
        "table_rate": 0.1,
        "table_l2": 0.0,
        "dense_rate": 0.01,
        "weight_decay": 0.0,
        "schedule": "constant",
        "warmup_steps": 0,
        "loss": "mse",
        "huber_delta": 1.0,
        "gradient_clip": 0.0,
    }
    return Recipe(**(settings | changes))


def two_tastes(users: int = 40, items: int = 30, *, seed: int = 1) -> Ratings:
    """Even users give even items 5 stars and odd items 1, odd users the other way round: all pairs, in random order.

    Users, items and their biases say nothing, so that only what joins user and item can explain anything.
    """
    user, item = torch.arange(users).repeat_interleave(items), torch.arange(items).repeat(users)
    order = torch.randperm(users * items, generator=torch.Generator().manual_seed(seed))
    rating = torch.where((user + item) % 2 == 0, 5.0, 1.0)
    return Ratings(user[order], item[order], rating[order])


def domain_of(rows: Ratings) -> Domain:
    """Of all rows, on the scale from 1 to 5."""
    users, items = int(rows.users.max()) + 1, int(rows.items.max()) + 1
    return Domain(users=users, items=items, lowest=1.0, highest=5.0, mean=float(rows.ratings.mean()))


def spec(folder: Path, *, network: str = "ncf", changes: dict[str, Any] | None = None, **others: Any) -> TrainingSpec:
    """Trains on two_tastes, written below the folder, of which a sixth is held out; `changes` are the recipe's."""
    rows = two_tastes()
    held_out = len(rows) // 6
    settings: dict[str, Any] = {
        "network": network,
        "params": PARAMS[network],
        "domain": domain_of(rows),
        "recipe": recipe(**(changes or {})),
        "train": [str(rows[held_out:].write(folder / "train" / "part-0.parquet"))],
        "validation": [str(rows[:held_out].write(folder / "validation" / "part-0.parquet"))],
        "item_text": [],
        "feed": "resident",
        "device": "cpu",
        "precision": "fp32",
        "seed": 1,
        "folder": str(folder / "run"),
        "resume": False,
    }
    return TrainingSpec(**(settings | others))
