"""Small networks of every kind, feeds in memory, planted ratings and specifications for the tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from nightreel.neural.feed import Batch
from nightreel.neural.networks.item_text import ItemText
from nightreel.neural.networks.network import Network
from nightreel.neural.networks.storage import build
from nightreel.neural.process import Process
from nightreel.neural.spec import Domain, Recipe, TrainingSpec, checked

USERS, ITEMS = 7, 5
DOMAIN = Domain(users=USERS, items=ITEMS, lowest=1.0, highest=5.0, mean=3.5)
PARAMS: dict[str, dict[str, Any]] = {
    "mf": {"rank": 4, "init_std": 0.1},
    "mf_bias": {"rank": 4, "init_std": 0.1},
    "deep": {"user_embedding": 6, "item_embedding": 3, "hidden": [8], "dropout": 0.0, "init_std": 0.1},
    "ncf": {"embedding": 4, "hidden": [8, 6, 4], "dropout": 0.1, "init_std": 0.1},
    "neumf": {
        "gmf_embedding": 3,
        "mlp_embedding": 5,
        "hidden": [8, 4],
        "dropout": 0.1,
        "mode": "rating",
        "negatives": 3,
        "min_rating": 4.0,
        "init_std": 0.1,
    },
    "hybrid": {
        "user_embedding": 6,
        "item_embedding": 3,
        "text_hidden": 8,
        "text_embedding": 4,
        "hidden": [16],
        "dropout": 0.2,
        "init_std": 0.1,
    },
}


def text_rows(texts: dict[int, dict[int, float]]) -> pa.Table:
    """Item text as its table has it, from {item: {term: weight}}."""
    return pa.table(
        {
            "item_idx": pa.array(list(texts), pa.int32()),
            "terms": pa.array([list(text) for text in texts.values()], pa.list_(pa.int32())),
            "weights": pa.array([list(text.values()) for text in texts.values()], pa.list_(pa.float32())),
        }
    )


TEXTS = {4: {2: 1.0}, 0: {0: 0.6, 3: 0.8}, 2: {1: 1.0, 0: 0.5, 2: 0.25}}
"""Items 1 and 3 have no text."""


def network(name: str, *, domain: Domain = DOMAIN, seed: int = 1, **changes: Any) -> Network[Any]:
    """In evaluation mode, its weights far from where training would start them, so that every part of it matters."""
    text = ItemText.of_table(text_rows(TEXTS), items=domain.items)
    built = build(name, checked(name, PARAMS[name] | changes), domain, seed=seed, text=text).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in built.parameters():
            weight.add_(torch.randn(weight.shape, generator=generator), alpha=0.5)
            if weight.dim() == 1:
                # No unit is below zero for all pairs, so that all of them matter.
                weight.abs_()
    return built


def all_pairs(users: int = USERS, items: int = ITEMS) -> tuple[torch.Tensor, torch.Tensor]:
    """Every user with every item: (users * items,) each."""
    return torch.arange(users).repeat_interleave(items), torch.arange(items).repeat(users)


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
