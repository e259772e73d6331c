"""What Spark's Python workers import: to load torch would cost each of them seconds and half a gigabyte."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

LIBRARY = Path(__file__).parents[2] / "lib"
ROOMS = ", ".join(f"nightreel.{room}" for room in ("sources", "prepare", "models", "evaluate", "recommend", "nightly"))


def test_no_room_loads_torch_before_a_network_is_used() -> None:
    code = f"import sys, {ROOMS}; print({{'torch', 'petastorm'}} & set(sys.modules))"
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, env={"PYTHONPATH": str(LIBRARY)}, check=True, capture_output=True, text=True)
    assert ended.stdout == "set()\n"
