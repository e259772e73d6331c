"""Copies of the checkout, in folders with spaces in their names."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

HOME = Path(__file__).parents[2]
PROBE = '''"""Say what was given, and end as told.

Reads nothing.
"""

import json
import sys

import nightreel

if __name__ == "__main__":
    if "--help" in sys.argv:
        sys.exit(print("the help of probe"))
    print(json.dumps({"argv": sys.argv[1:], "library": nightreel.__file__, "python": sys.executable}))
    if "--fail" in sys.argv:
        sys.exit("probe: could not")
    sys.exit(int(sys.argv[-1]) if sys.argv[-1].isdigit() else 0)
'''


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The library, its configuration and one job `probe`; .venv is this one's."""
    home = tmp_path / "a copy of it"
    ignored = shutil.ignore_patterns("__pycache__")
    for folder in ("lib", "conf"):
        shutil.copytree(HOME / folder, home / folder, ignore=ignored)
    for file in ("spark-submit.sh", "pyproject.toml", "constraints.txt", "Makefile", "README.md", "LICENSE"):
        shutil.copy(HOME / file, home / file)
    (home / "jobs").mkdir()
    (home / "jobs" / "probe.py").write_text(PROBE, encoding="utf-8")
    if (HOME / ".venv").is_dir():
        (home / ".venv").symlink_to(HOME / ".venv")
    return home
