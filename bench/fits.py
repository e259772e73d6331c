"""Seconds and memory of models that train in one process, on random ratings with long tails; one thread.

OMP_NUM_THREADS=1 PYTHONPATH=lib .venv/bin/python bench/fits.py --ratings 30_000_000 --users 625_000 --items 4_500
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

from nightreel.models import HYPERPARAMETERS, create
from nightreel.models.engine.one_task import FitsArrays
from nightreel.models.forms.arrays import Ratings
from nightreel.settings import load

MODELS = ("baseline", "baseline_sgd", "svd", "co_clustering", "item_cosine", "ease", "als", "funk_svd", "svd_pp", "nmf")


def ratings(rows: int, users: int, items: int) -> Ratings:
    """At most so many: a pair that is drawn twice counts once."""
    random = np.random.default_rng(0)
    user = random.integers(0, users, rows)
    item = np.minimum((random.pareto(1.1, rows) * 40).astype(int), items - 1)
    pairs = np.unique(user * items + item)
    user, item = pairs // items, pairs % items
    taste = 0.4 * (user % 7 == item % 7)
    rating = np.clip(np.round(3.6 + 0.5 * random.normal(size=len(pairs)) + taste), 1, 5)
    return Ratings.of(user, item, rating, n_users=users, n_items=items)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ratings", type=int, default=5_000_000)
    parser.add_argument("--users", type=int, default=25_000)
    parser.add_argument("--items", type=int, default=8_000)
    parser.add_argument("--models", nargs="*", default=MODELS)
    arguments = parser.parse_args()
    settings = load("local", [], models=HYPERPARAMETERS)
    algorithms = {name: algorithm for name in arguments.models
                  if isinstance(algorithm := create(name, settings), FitsArrays)}  # fmt: skip
    few = ratings(1_000, 50, 40)
    for algorithm in algorithms.values():  # compiled once
        algorithm.fit_arrays(few, seed=0)
    given = ratings(arguments.ratings, arguments.users, arguments.items)
    print(f"{len(given):,} ratings")
    for name, algorithm in algorithms.items():
        started = time.perf_counter()
        algorithm.fit_arrays(given, seed=0)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(f"{name:20}{time.perf_counter() - started:8.1f} s, peak {peak:.1f} GB so far", flush=True)


if __name__ == "__main__":
    main()
