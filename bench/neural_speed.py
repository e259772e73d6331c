"""Samples a second of each network's training by batch size, and where the time goes; the tables' optimisers compared.

Ratings are generated, with tables of the Netflix Prize's 480,189 users and 17,770 items.

PYTHONPATH=lib .venv/bin/python bench/neural_speed.py --batches 1024 16384 65536
PYTHONPATH=lib .venv/bin/python -m torch.distributed.run --nproc-per-node 2 bench/neural_speed.py --batches 16384
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from nightreel.neural.feed import Batch, Feed, open_feed
from nightreel.neural.networks.item_text import ItemText
from nightreel.neural.networks.network import Network
from nightreel.neural.networks.storage import NETWORKS, build
from nightreel.neural.process import Process, keep_freed_memory, process_group
from nightreel.neural.spec import Domain, hyperparameters
from nightreel.neural.training.learner import Learner
from nightreel.neural.training.objective import RatingObjective

DOMAIN = Domain(users=480_189, items=17_770, lowest=1.0, highest=5.0, mean=3.6)
VOCABULARY, TERMS_AN_ITEM = 24_144, 40
WARM_UP = 3


def write_ratings(file: Path, rows: int) -> None:
    """Long-tailed: low indices have most."""
    draw = np.random.default_rng(1)
    columns = {
        "user_idx": (draw.random(rows) ** 2 * DOMAIN.users).astype(np.int32),
        "item_idx": (draw.random(rows) ** 3 * DOMAIN.items).astype(np.int32),
        "rating": draw.integers(1, 6, rows).astype(np.float32),
    }
    pq.write_table(pa.table(columns), file, row_group_size=1 << 20)


def generated_text() -> ItemText:
    """Every item has TERMS_AN_ITEM terms of a vocabulary as large as that of the films' descriptions."""
    draw = torch.Generator().manual_seed(1)
    entries = DOMAIN.items * TERMS_AN_ITEM
    return ItemText(
        offsets=torch.arange(DOMAIN.items + 1) * TERMS_AN_ITEM,
        terms=torch.randint(VOCABULARY, (entries,), generator=draw),
        weights=torch.rand(entries, generator=draw),
        vocabulary=VOCABULARY,
    )


@dataclass
class Clock:
    """Seconds of each part of a step; a GPU is waited for at the end of each."""

    device: torch.device
    seconds: dict[str, float] = field(default_factory=dict)

    def timed(self, part: str, work: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        done = work()
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        self.seconds[part] = self.seconds.get(part, 0.0) + time.perf_counter() - began
        return done


def endless(feed: Feed) -> Iterator[Batch]:
    number = 0
    while True:
        yield from feed.epoch(number)
        number += 1


def step(learner: Learner, batches: Iterator[Batch], clock: Clock) -> int:
    """Learner.learn, in parts; returns the rows."""
    batch = clock.timed("feed", lambda: next(batches))
    learner.optimiser.zero_grad()
    _, share = clock.timed("forward, backward", lambda: learner.backward(batch))
    clock.timed("exchange of rows", lambda: learner.optimiser.exchange(share=share))
    clock.timed("optimiser", lambda: learner.optimiser.step(rate=1.0))
    return len(batch)


def unsynchronised_seconds(learner: Learner, batches: Iterator[Batch], clock: Clock, steps: int) -> float:
    """Of forward and backward when the ranks keep their dense gradients to themselves."""
    module = learner.module
    alone = Clock(clock.device)
    with module.no_sync() if isinstance(module, DistributedDataParallel) else nullcontext():
        for _ in range(steps):
            batch = next(batches)
            learner.optimiser.zero_grad()
            alone.timed("backward", partial(learner.backward, batch))
    return alone.seconds["backward"]


def measure(name: str, batch_size: int, file: Path, process: Process, *, steps: int, precision: Any) -> str:
    """A line of the table."""
    chosen = hyperparameters(name, [f"training.batch_size={batch_size}"])
    network = build(name, chosen.network, DOMAIN, seed=1, text=generated_text()).to(process.device)
    learner = Learner(RatingObjective(network, chosen.training), chosen.training, process, precision=precision)
    with closing(feed_of(file, batch_size, process)) as feed:
        batches, rows, clock = endless(feed), 0, Clock(process.device)
        for number in range(WARM_UP + steps):
            if number == WARM_UP:
                clock, rows = Clock(process.device), 0
            rows += step(learner, batches, clock)
        reduced = 0.0
        if process.world_size > 1:
            reduced = clock.seconds["forward, backward"] - unsynchronised_seconds(learner, batches, clock, steps)
    return line(name, batch_size, rows * process.world_size, clock.seconds, max(0.0, reduced))


def feed_of(file: Path, batch_size: int, process: Process) -> Feed:
    return open_feed([str(file)], process, mode="resident", batch_size=batch_size, seed=1)


def line(name: str, batch_size: int, rows: int, seconds: dict[str, float], reduced: float) -> str:
    total = sum(seconds.values())
    parts = [
        seconds["feed"],
        seconds["forward, backward"] - reduced,
        reduced,
        seconds["exchange of rows"],
        seconds["optimiser"],
    ]
    shares = " | ".join(f"{100 * part / total:.0f} %" for part in parts)
    return f"| {name} | {batch_size:,} | {rows / total:,.0f} | {shares} |"


def compare_tables(batch_size: int, *, steps: int) -> Iterator[str]:
    """A step of `deep` with its tables' gradients and optimiser of each kind; milliseconds."""
    draw = torch.Generator().manual_seed(1)
    batches = [
        Batch(
            (torch.rand(batch_size, generator=draw) ** 2 * DOMAIN.users).long(),
            (torch.rand(batch_size, generator=draw) ** 3 * DOMAIN.items).long(),
            torch.randint(1, 6, (batch_size,), generator=draw).float(),
            weight=1.0,
        )
        for _ in range(WARM_UP + steps)
    ]
    for kind, sparse, make in TABLE_OPTIMISERS:
        forward, stepping = table_step(batches, sparse=sparse, make=make)
        yield f"| {kind} | {batch_size:,} | {forward:.1f} | {stepping:.1f} | {forward + stepping:.1f} |"
    chosen = hyperparameters("deep")
    process = Process(rank=0, world_size=1, device=torch.device("cpu"))
    network = build("deep", chosen.network, DOMAIN, seed=1)
    learner = Learner(RatingObjective(network, chosen.training), chosen.training, process, precision="fp32")
    clock, source = Clock(process.device), iter(batches)
    for number in range(len(batches)):
        clock = Clock(process.device) if number == WARM_UP else clock
        step(learner, source, clock)
    forward = 1000 * clock.seconds["forward, backward"] / steps
    stepping = 1000 * (clock.seconds["exchange of rows"] + clock.seconds["optimiser"]) / steps
    ours = "**rows, Adagrad with L2 (as trained)**"
    yield f"| {ours} | {batch_size:,} | {forward:.1f} | {stepping:.1f} | {forward + stepping:.1f} |"


TABLE_OPTIMISERS: list[tuple[str, bool, Callable[[Any], torch.optim.Optimizer]]] = [
    ("all rows, AdamW fused", False, lambda tables: torch.optim.AdamW(tables, fused=True)),
    ("all rows, Adagrad fused", False, lambda tables: torch.optim.Adagrad(tables, fused=True)),
    ("rows, SparseAdam", True, lambda tables: torch.optim.SparseAdam(tables)),
    ("rows, Adagrad", True, lambda tables: torch.optim.Adagrad(tables)),
]


def table_step(batches: list[Batch], *, sparse: bool, make: Callable[[Any], Any]) -> tuple[float, float]:
    """Milliseconds of forward and backward, and of the step."""
    network: Network[Any] = build("deep", hyperparameters("deep").network, DOMAIN, seed=1)
    network.users.sparse = network.items.sparse = sparse
    tables = network.tables()
    others = [weight for weight in network.parameters() if all(weight is not table for table in tables)]
    steppers = [make(list(tables)), torch.optim.AdamW(others, fused=True)]
    seconds = [0.0, 0.0]
    for number, batch in enumerate(batches):
        began = time.perf_counter()
        network.zero_grad(set_to_none=True)
        loss = nn.functional.mse_loss(network(batch.users, batch.items), batch.ratings)
        loss.backward()  # type: ignore[no-untyped-call]
        between = time.perf_counter()
        for stepper in steppers:
            stepper.step()
        if number >= WARM_UP:
            seconds[0] += between - began
            seconds[1] += time.perf_counter() - between
    counted = len(batches) - WARM_UP
    return 1000 * seconds[0] / counted, 1000 * seconds[1] / counted


def device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    models = [line for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if "model name" in line]
    name = models[0].partition(":")[2].strip() if models else platform.processor()
    return f"{name}, {os.cpu_count()} cores, {torch.get_num_threads()} threads a process"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batches", type=int, nargs="+", default=[1024, 16_384, 65_536])
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS))
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    arguments = parser.parse_args()
    with process_group(arguments.device) as process, tempfile.TemporaryDirectory() as folder:
        if process.device.type == "cpu":
            keep_freed_memory()
        file = Path(folder) / "ratings.parquet"
        write_ratings(file, arguments.rows)
        for text in tables(arguments, file, process):
            if process.first:
                print(text, flush=True)


def tables(arguments: argparse.Namespace, file: Path, process: Process) -> Iterator[str]:
    """Line by line."""
    yield f"{device_name(process.device)}; processes: {process.world_size}; torch {torch.__version__}\n"
    yield "| network | batch | rows/s | feed | forward, backward | all-reduce | exchange of rows | optimiser |"
    yield "|---|---|---|---|---|---|---|---|"
    for name in arguments.networks:
        for batch_size in arguments.batches:
            yield measure(name, batch_size, file, process, steps=arguments.steps, precision=arguments.precision)
    if process.world_size == 1 and process.device.type == "cpu":
        yield "\n| tables of deep | batch | forward, backward, ms | optimiser, ms | step, ms |"
        yield "|---|---|---|---|---|"
        for batch_size in arguments.batches:
            yield from compare_tables(batch_size, steps=arguments.steps)


if __name__ == "__main__":
    main()
