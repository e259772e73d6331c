"""What each process of test_training_two_processes does: python one_of_two_ranks.py WHAT FOLDER.

trains : every network on a feed whose steps hold the same rows for any number of ranks, unevenly shared; rank 0 keeps
    weights and validation losses in FOLDER/<processes>-<network>
    and which threads of the group live on after its end
raises, exits : rank 1 dies in the second epoch, by an exception or without a word
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import save_file
from tests.neural.network_samples import PARAMS, TEXTS, text_rows
from tests.neural.training_samples import MemoryFeed, domain_of, recipe, spec, two_tastes

from nightreel.neural.feed import Batch
from nightreel.neural.networks.item_text import ItemText
from nightreel.neural.networks.network import Network
from nightreel.neural.networks.params import checked
from nightreel.neural.networks.storage import build
from nightreel.neural.networks.tower_networks import Neumf
from nightreel.neural.process import Process, process_group
from nightreel.neural.training.checkpoint import Checkpoints
from nightreel.neural.training.learner import Learner
from nightreel.neural.training.loop import Loop
from nightreel.neural.training.objective import (
    ClippedSquares,
    ImplicitObjective,
    Objective,
    RatingObjective,
    UnseenItems,
)

ROWS = two_tastes()
HELD_OUT, TRAIN = ROWS[:101], ROWS[101:1100]
"""999 rows in steps of 332 leave 3 for the last: rank 1 has none of them."""
CASES = {
    "mf": {},
    "mf_bias": {},
    "deep": {},
    "ncf": {"dropout": 0.0},
    "neumf": {"dropout": 0.0, "mode": "implicit"},
    "hybrid": {"dropout": 0.0},
}


class Dying(MemoryFeed):
    """Rank 1 does not survive the second step of the second epoch."""

    def __init__(self, process: Process, how: str) -> None:
        super().__init__(TRAIN, 332, process)
        self._process, self._how = process, how

    def epoch(self, number: int) -> Iterator[Batch]:
        for step, batch in enumerate(super().epoch(number)):
            if (self._process.rank, number, step) == (1, 1, 1):
                if self._how == "exits":
                    os._exit(7)
                raise RuntimeError("planted: rank 1 cannot go on")
            yield batch


def trained(name: str, folder: Path, process: Process, feed: MemoryFeed) -> Loop:
    settings = recipe(epochs=3, table_l2=0.05, weight_decay=0.01, gradient_clip=1.0, warmup_steps=2)
    network = untrained(name)
    measure: Objective = ClippedSquares(network)
    objective: Objective = RatingObjective(network, settings)
    if isinstance(network, Neumf):
        unseen = UnseenItems(ROWS.users, ROWS.items, n_users=40, n_items=31)
        objective, measure = (ImplicitObjective(network, network.params, unseen, seed=1) for _ in range(2))
    loop = Loop(
        Learner(objective, settings, process, precision="fp32"),
        feed,
        (measure, MemoryFeed(HELD_OUT, 49, process)),
        seed=1,
        checkpoints=Checkpoints(folder / f"run-{name}", spec(folder / f"{process.rank}"), world_size=2),
    )
    loop.run()
    return loop


def untrained(name: str) -> Network:
    text = ItemText.of_table(text_rows(TEXTS), items=31)
    # One item more than have ratings, so that there are unseen ones.
    domain = domain_of(ROWS).model_copy(update={"items": 31})
    return build(name, checked(name, PARAMS[name] | CASES[name]), domain, seed=1, text=text)


def main(what: str, folder: Path) -> None:
    with process_group("cpu") as process:
        if what != "trains":
            trained("deep", folder, process, Dying(process, what))
            return
        for name in CASES:
            fitted = trained(name, folder, process, MemoryFeed(TRAIN, 332, process))
            losses = torch.tensor([epoch.validation_loss for epoch in fitted.history], dtype=torch.float64)
            if process.first:
                save_file({**fitted.best, "losses": losses}, folder / f"{process.world_size}-{name}.safetensors")
    (folder / f"{process.world_size}-{process.rank}.threads").write_text("\n".join(threads_of_gloo()))


def threads_of_gloo() -> list[str]:
    """Their names, as the system knows them: they are none of Python's."""
    names = (file.read_text().strip() for file in Path("/proc/self/task").glob("*/comm"))
    return [name for name in names if "gloo" in name]


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
