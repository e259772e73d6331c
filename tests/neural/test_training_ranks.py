"""Two ranks learn what one would, and when one of them dies the other does not wait for it."""

from __future__ import annotations

import os
import platform
import resource
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from tests.neural.ranks import results_of, run_ranks
from tests.neural.samples import ALONE, PARAMS, TEXTS, MemoryFeed, domain_of, recipe, spec, text_rows, two_tastes

from nightreel.neural.feed import Batch
from nightreel.neural.networks.item_text import ItemText
from nightreel.neural.networks.network import Network
from nightreel.neural.networks.storage import build
from nightreel.neural.networks.tower_networks import Neumf
from nightreel.neural.process import Process, keep_freed_memory, process_group
from nightreel.neural.spec import checked
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


def weights_and_losses(folder: Path, process: Process) -> Mapping[str, Mapping[str, object]]:
    """Of every network, on a feed whose steps hold the same rows for any number of ranks, unevenly shared."""
    loops = {name: trained(name, folder, process, MemoryFeed(TRAIN, 332, process)) for name in CASES}
    return {
        name: {
            "losses": [epoch.validation_loss for epoch in loop.history],
            **{key: weight.numpy() for key, weight in loop.best.items()},
        }
        for name, loop in loops.items()
    }


def in_a_group(folder: Path) -> tuple[Mapping[str, Mapping[str, object]], list[str]]:
    """Weights and losses, and the group's threads that are still there after its end."""
    with process_group("cpu") as process:
        found = weights_and_losses(folder, process)
    # Names as the system knows them: they are none of Python's.
    names = (file.read_text().strip() for file in Path("/proc/self/task").glob("*/comm"))
    return found, [name for name in names if "gloo" in name]


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Mapping[str, Mapping[str, object]], list[str]]]:
    return results_of(in_a_group, tmp_path_factory.mktemp("two"))


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Mapping[str, object]]:
    return weights_and_losses(tmp_path_factory.mktemp("one"), ALONE)


@pytest.mark.parametrize("name", CASES)
def test_two_ranks_give_the_one_rank_weights_and_validation_figures(name: str, alone, ranks) -> None:
    """Although they share each step unevenly and rank 1 has no row of an epoch's last step."""
    one, two = dict(alone[name]), dict(ranks[0][0][name])
    assert two.pop("losses") == pytest.approx(one.pop("losses"), rel=1e-4)
    assert one.keys() == two.keys()
    for key in one:
        torch.testing.assert_close(torch.tensor(two[key]), torch.tensor(one[key]), rtol=1e-3, atol=1e-4)


def test_the_group_leaves_no_threads_behind(ranks) -> None:
    """One that the end of the interpreter meets at work ends the process by SIGABRT."""
    assert [threads for _, threads in ranks] == [[], []]


def test_a_process_alone_needs_no_group() -> None:
    with process_group("cpu") as process:
        assert not dist.is_initialized()
        assert (process.rank, process.world_size) == (0, 1)


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


def dying(folder: Path, how: str) -> None:
    with process_group("cpu") as process:
        trained("deep", folder, process, Dying(process, how))


@pytest.mark.parametrize(("how", "exit_code"), [("raises", 1), ("exits", 7)])
def test_when_a_rank_dies_the_other_ends_with_an_error_too(how: str, exit_code: int, tmp_path: Path) -> None:
    one, two = run_ranks(dying, tmp_path, how)
    assert (one.exit_code, two.exit_code) == (1, exit_code)
    assert "RuntimeError" in one.traceback and "planted" not in one.traceback
    if how == "raises":
        assert "RuntimeError: planted: rank 1 cannot go on" in two.traceback
        assert "in epoch" in two.traceback


def page_faults(keep: bool) -> int:
    """Pages that five steps with tensors of 40 MB ask the system for."""
    if keep:
        keep_freed_memory()
    faults = []
    for _ in range(10):
        (torch.ones(10_000_000) + 1.0).sum()
        faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
    return faults[9] - faults[4]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told to keep what is freed")
def test_steps_of_one_size_hardly_ask_the_system_for_pages() -> None:
    kept, freed = (results_of(page_faults, keep, world_size=1)[0] for keep in (True, False))
    assert kept * 4 < freed
