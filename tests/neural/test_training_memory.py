"""Memory that a step frees serves the next one."""

from __future__ import annotations

import platform

import pytest
from tests.neural.processes import run_alone

CODE = """
import resource, torch
from nightreel.neural.process import keep_freed_memory
if {keep}:
    keep_freed_memory()
faults = []
for step in range(20):
    (torch.ones(16_000_000) + 1.0).sum()
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
print(faults[19] - faults[9])
"""


def faults(*, keep: bool) -> int:
    """Pages that ten steps with tensors of 64 MB had to ask the system for."""
    ended = run_alone(["-c", CODE.format(keep=keep)])
    assert ended.returncode == 0, ended.stderr
    return int(ended.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told to keep what is freed")
def test_steps_of_one_size_hardly_ask_the_system_for_pages() -> None:
    assert faults(keep=True) * 4 < faults(keep=False)
