"""make: what is missing on the machine is one line, before anything long is done."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HOME = Path(__file__).parents[2]


def make(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        ["make", *arguments], cwd=home, env={**kept, **environment}, capture_output=True, text=True, check=False
    )


@pytest.fixture
def fresh(checkout: Path) -> Path:
    (checkout / ".venv").unlink(missing_ok=True)
    return checkout


def complaint(ended: subprocess.CompletedProcess[str]) -> str:
    """The line before make's own."""
    assert ended.returncode != 0
    said, closing = ended.stderr.strip().split("\n")
    assert closing.startswith("make: ***")
    return said


def test_make_alone_lists_the_targets(fresh: Path) -> None:
    ended = make(fresh)
    listed = re.findall(r"^  make (\w+) +\S", ended.stdout, re.MULTILINE)
    assert listed[:5] == ["help", "install", "demo", "neural", "test"]
    assert "wheel" in listed


@pytest.mark.parametrize("target", ["demo", "test"])
def test_an_old_java_stops_it_at_once(fresh: Path, tmp_path: Path, target: str) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n", encoding="utf-8")
    java.chmod(0o755)
    path = f"{java.parent}:{os.environ['PATH']}"
    said = complaint(make(fresh, target, f"PYTHON={sys.executable}", PATH=path, JAVA_HOME=""))
    assert "is Java 11" in said
    assert "install one" in said
    assert not (fresh / ".venv").exists()


def test_an_old_python_stops_it_at_once(fresh: Path, tmp_path: Path) -> None:
    python = tmp_path / "python3"
    python.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    python.chmod(0o755)
    said = complaint(make(fresh, "install", f"PYTHON={python}"))
    assert said.startswith("nightreel: Python 3.11 or newer is needed")
    assert not (fresh / ".venv").exists()


def test_set_up_is_repeated_when_the_versions_change(fresh: Path) -> None:
    """Against a .venv whose Python only writes down what it is asked."""
    python = fresh / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "$*" >>asked\n', encoding="utf-8")
    python.chmod(0o755)
    asked = fresh / "asked"
    given = f"PYTHON={sys.executable}"

    def rounds() -> int:
        assert make(fresh, "install", given).returncode == 0
        return asked.read_text(encoding="utf-8").count("nightreel.session.delta_jars")

    assert [rounds(), rounds()] == [1, 1]
    ready = (fresh / ".venv" / ".ready").stat().st_mtime
    os.utime(fresh / "constraints.txt", (ready + 1, ready + 1))
    assert rounds() == 2


def test_a_moved_checkout_is_set_up_again(fresh: Path, tmp_path: Path) -> None:
    test_set_up_is_repeated_when_the_versions_change(fresh)
    moved = fresh.rename(tmp_path / "moved")
    (moved / "asked").unlink()
    assert make(moved, "install", f"PYTHON={sys.executable}").returncode == 0
    assert "delta_jars" in (moved / "asked").read_text(encoding="utf-8")
