"""Seconds, processor seconds, bytes and memory that `nightreel sample` takes, by format and size.

PYTHONPATH=lib .venv/bin/python bench/sample.py --ratings 1000000 22000000
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import get_args

from nightreel.sample import Format


def measured(format: str, *, ratings: int, folder: Path) -> tuple[float, float, int, float]:
    """Seconds, processor seconds, bytes written, and the peak GB."""
    sample = [sys.executable, "-m", "nightreel.cli", "sample", "--out", str(folder)]
    start = time.perf_counter()
    running = subprocess.Popen([*sample, "--format", format, "--ratings", str(ratings)], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(running.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        raise SystemExit(f"{format}, {ratings:,} ratings: failed")
    written = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return seconds, used.ru_utime + used.ru_stime, written, used.ru_maxrss / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ratings", type=int, nargs="+", default=[1_000_000, 22_000_000])
    parser.add_argument("--formats", nargs="+", choices=get_args(Format), default=get_args(Format))
    arguments = parser.parse_args()
    print("| format | ratings | s | CPU s | MB | peak GB |")
    print("|---|---|---|---|---|---|", flush=True)
    for format in arguments.formats:
        for ratings in arguments.ratings:
            with tempfile.TemporaryDirectory() as folder:
                seconds, cpu_seconds, size, peak = measured(format, ratings=ratings, folder=Path(folder))
            told = f"{seconds:.1f} | {cpu_seconds:.1f} | {size / 1e6:,.0f} | {peak:.2f}"
            print(f"| {format} | {ratings:,} | {told} |", flush=True)


if __name__ == "__main__":
    main()
