"""Trainings in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]


def subprocess_environment(first_on_path: Path = ROOT / "lib") -> dict[str, str]:
    """Finds the library and the tests of this checkout; one thread, whose sums come out the same in every process."""
    inherited = {name: value for name, value in os.environ.items() if name not in {"RANK", "WORLD_SIZE", "LOCAL_RANK"}}
    paths = os.pathsep.join(map(str, (first_on_path, ROOT / "lib", ROOT)))
    return {**inherited, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}


def run_alone(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """python <arguments>"""
    return _run([sys.executable, *arguments], subprocess_environment())


def run_two(arguments: Sequence[str], **paths: Path) -> subprocess.CompletedProcess[str]:
    """torchrun with two processes, each python <arguments>; a hang would raise TimeoutExpired."""
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    return _run([sys.executable, *launcher, *arguments], subprocess_environment(**paths))


def _run(command: Sequence[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
