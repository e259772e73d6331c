"""The reader of delimited rating files against pandas' C engine on the same generated lines, one core each.

Every figure is the best of some rounds, in CPU seconds of this process; the files stay for the next time.

    PYTHONPATH=lib .venv/bin/python bench/delimited.py --work /tmp/bench --rows 10000000
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv

from nightreel.sources.delimited import RatingLines
from nightreel.sources.delimited.block import parse_block
from nightreel.sources.delimited.grammar import Grammar
from nightreel.sources.lines.segments import Segment, open_lines, read_blocks

CHUNK_BYTES, MAX_LINE_BYTES = 8_388_608, 1_000
_ROWS_AT_A_TIME = 1_000_000
_LIMITS = ((1, 209_172), (1, 11), (789_652_009, 1_574_327_703))  # of movies, half stars, seconds since 1970
CSV = RatingLines(",", 4, user=0, item=1, rating=2, time=3, header=True, lowest=0.5, highest=5.0)
FORMS = {
    "MovieLens CSV": CSV,
    "CSV, fields may be quoted": replace(CSV, quoted=True),
    "CSV, ids as text": replace(CSV, ids="string"),
    "MovieLens :: (.dat)": replace(CSV, separator="::", header=False),
    "one line in a thousand broken": CSV,
    "JSON lines": replace(CSV, header=False, keys=("userId", "movieId", "rating", "timestamp")),
}


def generate(folder: Path, *, rows: int) -> dict[str, Path]:
    """The same ratings in each form: users in order, half stars, seconds since 1970."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {name: folder / f"{number}.txt" for number, name in enumerate(FORMS)}
    if not paths["JSON lines"].exists():
        random = np.random.default_rng(0)
        users = np.sort(random.integers(1, 162_542, rows))
        with paths["MovieLens CSV"].open("wb") as file:
            file.write(b"userId,movieId,rating,timestamp\n")
            for first in range(0, rows, _ROWS_AT_A_TIME):
                some = users[first : first + _ROWS_AT_A_TIME]
                movies, stars, seconds = (random.integers(*limits, len(some)) for limits in _LIMITS)
                table = pa.table({"user": some, "movie": movies, "rating": stars / 2, "seconds": seconds})
                csv.write_csv(table, file, csv.WriteOptions(include_header=False))
        for name, path in paths.items():
            _rewrite(paths["MovieLens CSV"], path, name)
    return paths


def _rewrite(given: Path, path: Path, name: str) -> None:
    if path == given:
        return
    with given.open("rb") as lines, path.open("wb") as file:
        header = next(lines)
        if FORMS[name].header:
            file.write(header)
        for number, line in enumerate(lines):
            if name == "MovieLens :: (.dat)":
                line = line.replace(b",", b"::")
            elif name == "JSON lines":
                line = b'{"userId":%b,"movieId":%b,"rating":%b,"timestamp":%b}\n' % tuple(line.strip().split(b","))
            elif name == "one line in a thousand broken" and number % 1_000 == 500:
                line = line.replace(b",", b",?", 1)
            file.write(line)


def parse(path: Path, form: RatingLines) -> int:
    """Good rows and rejects."""
    segment, lines = Segment(1, str(path), 0, path.stat().st_size), 0
    with open_lines(segment) as stream:
        for block in read_blocks(stream, segment, position=0, chunk_bytes=CHUNK_BYTES, max_line_bytes=MAX_LINE_BYTES):
            for rows in parse_block(block, Grammar(form, MAX_LINE_BYTES)):
                lines += rows.rows.num_rows + len(rows.rejected)
    return lines


def best(action: Callable[[], int], *, rounds: int, rows: int) -> float:
    """Million lines a CPU second."""
    seconds = []
    for _ in range(rounds):
        begun = time.process_time()
        if action() != rows:
            raise SystemExit("lines were lost")
        seconds.append(time.process_time() - begun)
    return rows / min(seconds) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="a folder for the files (kept)")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    pa.set_cpu_count(1)
    rows, rounds = arguments.rows, arguments.rounds
    paths = generate(arguments.work / f"delimited {rows}", rows=rows)
    print("| lines | program | M lines / CPU s |\n|---|---|---|")
    plain = paths["MovieLens CSV"]
    pandas = best(lambda: len(pd.read_csv(plain, engine="c")), rounds=rounds, rows=rows)
    print(f"| MovieLens CSV | pandas.read_csv, C engine | {pandas:.2f} |", flush=True)
    for name, form in FORMS.items():
        ours = best(partial(parse, paths[name], form), rounds=rounds, rows=rows)
        print(f"| {name} | nightreel | {ours:.2f} |", flush=True)


if __name__ == "__main__":
    main()
