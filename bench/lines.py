"""The reader of rating lines against pandas' C engine on the same generated ratings, one core each.

Every figure is the best of some rounds, in CPU seconds of this process; the files stay for the next time.

    PYTHONPATH=lib .venv/bin/python bench/lines.py --work /tmp/bench --rows 10000000
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

from nightreel.settings import load
from nightreel.sources.lines.datasource import parse_segment
from nightreel.sources.lines.rating_lines import LineFormat, RatingLines
from nightreel.sources.lines.segments import Segment
from nightreel.sources.netflix.lines import DumpLines

INGEST = load("local", []).ingest
_ROWS_AT_A_TIME = 1_000_000
_LIMITS = ((1, 209_172), (1, 11), (789_652_009, 1_574_327_703))  # of movies, half stars, seconds since 1970
_USERS_A_MOVIE = 36  # as many movies as the first quarter of the Prize's has
CSV = RatingLines(",", 4, user=0, item=1, rating=2, time=3, header=True, lowest=0.5, highest=5.0)
FORMATS: dict[str, LineFormat] = {
    "MovieLens CSV": CSV,
    "MovieLens CSV, a line in 100,000 broken": CSV,
    "MovieLens CSV, a line in 1,000 broken": CSV,
    "MovieLens CSV, times as quoted dates": CSV,
    "MovieLens :: (.dat)": replace(CSV, separator="::", header=False),
    "Netflix Prize": DumpLines("ratings", lowest=0.5, highest=5.0),
}
LAST = "Netflix Prize"


def generate(folder: Path, *, rows: int) -> dict[str, Path]:
    """The same ratings in each format: users in order (of the Prize's, movies), half stars, seconds since 1970."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {name: folder / f"{number}.txt" for number, name in enumerate(FORMATS)}
    if not paths[LAST].exists():
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
        if FORMATS[name].header:
            file.write(header)
        movie = b""
        for number, line in enumerate(lines):
            user, item, rating, _ = line.split(b",")
            if name == "MovieLens :: (.dat)":
                line = line.replace(b",", b"::")
            elif name.endswith("dates"):
                line = b'%b,%b,%b,"2005-04-02 23:53:47"\n' % (user, item, rating)
            elif name == "Netflix Prize":
                movie, above = b"%d:\n" % (int(user) // _USERS_A_MOVIE + 1), movie
                line = movie * (movie != above) + b"%b,%b,2005-04-02\n" % (item, rating)
            elif name.endswith("broken") and number % (100_000 if "100,000" in name else 1_000) == 500:
                line = line.replace(b",", b",?", 1)
            file.write(line)


def parse(path: Path, lines: LineFormat) -> int:
    """Good rows and rejects."""
    parsed = parse_segment(Segment(1, str(path), 0, path.stat().st_size), lines, INGEST)
    return sum(len(some) + len(some.rejected) for some in parsed)


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
    paths = generate(arguments.work / f"lines {rows}", rows=rows)
    print("| lines | program | M lines / CPU s |\n|---|---|---|")
    plain = paths["MovieLens CSV"]
    pandas = best(lambda: len(pd.read_csv(plain, engine="c")), rounds=rounds, rows=rows)
    print(f"| MovieLens CSV | pandas.read_csv, C engine | {pandas:.2f} |", flush=True)
    for name, lines in FORMATS.items():
        ours = best(partial(parse, paths[name], lines), rounds=rounds, rows=rows)
        print(f"| {name} | nightreel | {ours:.2f} |", flush=True)


if __name__ == "__main__":
    main()
