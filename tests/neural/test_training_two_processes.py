"""Two processes learn what one would, and when one of them dies the other does not wait for it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests.neural.one_of_two_ranks import CASES
from tests.neural.processes import run_alone, run_two

SCRIPT = str(Path(__file__).with_name("one_of_two_ranks.py"))


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two")
    for run in (run_alone, run_two):
        ended = run([SCRIPT, "trains", str(folder)])
        assert ended.returncode == 0, ended.stderr
    return folder


@pytest.mark.parametrize("name", CASES)
def test_two_ranks_give_the_one_rank_weights_and_validation_figures(name: str, results: Path) -> None:
    """Although they share each step unevenly and rank 1 has no row of an epoch's last step."""
    one, two = (load_file(results / f"{processes}-{name}.safetensors") for processes in (1, 2))
    torch.testing.assert_close(two.pop("losses"), one.pop("losses"), rtol=1e-4, atol=0.0)
    assert one.keys() == two.keys()
    for key in one:
        torch.testing.assert_close(two[key], one[key], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("processes", "rank"), [(1, 0), (2, 0), (2, 1)])
def test_the_group_leaves_no_threads_behind(processes: int, rank: int, results: Path) -> None:
    """One that the end of the interpreter meets at work ends the process by SIGABRT."""
    assert (results / f"{processes}-{rank}.threads").read_text() == ""


def test_a_rank_that_raises_ends_the_job_with_its_traceback(tmp_path: Path) -> None:
    ended = run_two([SCRIPT, "raises", str(tmp_path)])
    assert ended.returncode != 0
    assert "RuntimeError: planted: rank 1 cannot go on" in ended.stderr
    assert "one_of_two_ranks.py" in ended.stderr and "in epoch" in ended.stderr


def test_a_rank_that_is_gone_without_a_word_ends_the_job(tmp_path: Path) -> None:
    ended = run_two([SCRIPT, "exits", str(tmp_path)])
    assert ended.returncode != 0
    assert "exitcode  : 7" in ended.stderr
