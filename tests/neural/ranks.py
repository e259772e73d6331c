"""Ranks in processes of their own, forked from one that has imported torch; and torchrun."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

ROOT = Path(__file__).parents[2]
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.neural.samples", "nightreel.neural.training.train", "torch._dynamo"])


@dataclass(frozen=True)
class Ended:
    """How a rank ended: its exit code, what it returned, and the traceback of its exception."""

    exit_code: int | None
    result: Any
    traceback: str


def run_ranks(work: Callable[..., Any], *arguments: Any, world_size: int = 2) -> list[Ended]:
    """work(*arguments) on every rank, with torchrun's variables set; a rank that hangs raises TimeoutError."""
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("localhost", 0)) as free:
        port = free.getsockname()[1]
        free.close()
        variables = {"WORLD_SIZE": str(world_size), "MASTER_ADDR": "localhost", "MASTER_PORT": str(port)}
        ranks = [
            _CONTEXT.Process(target=_rank, args=(Path(folder), {**variables, "RANK": str(rank)}, work, arguments))
            for rank in range(world_size)
        ]
        path = os.pathsep.join(map(str, (ROOT / "lib", ROOT)))
        with mock.patch.dict(os.environ, {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}):
            for rank in ranks:
                rank.start()
        for rank in ranks:
            rank.join(120)
        if any(rank.is_alive() for rank in ranks):
            for rank in ranks:
                rank.kill()
            raise TimeoutError("a rank hangs")
        return [_ended(Path(folder), number, rank.exitcode) for number, rank in enumerate(ranks)]


def _rank(folder: Path, variables: dict[str, str], work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    os.environ.update(variables)
    try:
        result = work(*arguments)
    except Exception:
        (folder / f"{variables['RANK']}.traceback").write_text(traceback.format_exc(), encoding="utf-8")
        raise
    (folder / f"{variables['RANK']}.pickle").write_bytes(pickle.dumps(result))


def _ended(folder: Path, rank: int, exit_code: int | None) -> Ended:
    result, raised = folder / f"{rank}.pickle", folder / f"{rank}.traceback"
    return Ended(
        exit_code,
        pickle.loads(result.read_bytes()) if result.exists() else None,
        raised.read_text(encoding="utf-8") if raised.exists() else "",
    )


def results_of(work: Callable[..., Any], *arguments: Any, world_size: int = 2) -> list[Any]:
    """What every rank returns."""
    ended = run_ranks(work, *arguments, world_size=world_size)
    assert [rank.exit_code for rank in ended] == [0] * world_size, "\n".join(rank.traceback for rank in ended)
    return [rank.result for rank in ended]


def torchrun(arguments: Sequence[str], *, first_on_path: Path) -> subprocess.CompletedProcess[str]:
    """Two processes, each python <arguments>."""
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    path = os.pathsep.join(map(str, (first_on_path, ROOT / "lib")))
    return subprocess.run(
        [sys.executable, *launcher, *arguments],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
