"""RMSE of the rating predictors beside Surprise's: same folds, same hyperparameters, one process each.

.venv/bin/python bench/agreement.py --ratings ../shared/data/ml-latest-small/ratings.csv
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from nightreel.models import HYPERPARAMETERS, create
from nightreel.models.engine.one_task import FitsArrays
from nightreel.models.forms.arrays import Ratings
from nightreel.settings import load


class Fold(NamedTuple):
    train: pd.DataFrame
    test: pd.DataFrame


class Measured(NamedTuple):
    rmse: float
    fit: float
    predict: float


def peers() -> Mapping[str, tuple[list[str], Callable[[], Any]]]:
    """By a name for the line: --set settings of ours (model first), and Surprise's algorithm."""
    import surprise as s

    als = {"method": "als", "reg_u": 5.0, "reg_i": 3.0, "n_epochs": 5}
    found: dict[str, tuple[list[str], Callable[[], Any]]] = {
        "random": (["random"], s.NormalPredictor),
        "baseline": (["baseline"], lambda: s.BaselineOnly(als, verbose=False)),
        "baseline_sgd": (["baseline_sgd"], lambda: s.BaselineOnly({"method": "sgd"}, verbose=False)),
        "slope_one": (["slope_one"], s.SlopeOne),
        "co_clustering": (["co_clustering"], lambda: s.CoClustering(random_state=0)),
        "funk_svd": (["funk_svd"], lambda: s.SVD(random_state=0)),
        "svd_pp": (["svd_pp"], lambda: s.SVDpp(random_state=0, cache_ratings=True)),
        "nmf": (["nmf"], lambda: s.NMF(random_state=0)),
    }
    variants = {"basic": s.KNNBasic, "centred": s.KNNWithMeans, "zscore": s.KNNWithZScore, "baseline": s.KNNBaseline}
    for axis in ("item", "user"):
        for variant, algorithm in variants.items():
            baseline = {"bsl_options": als} if variant == "baseline" else {}
            for similarity in ("msd", "cosine", *(["pearson_baseline"] if variant == "baseline" else [])):
                options = {"name": similarity, "user_based": axis == "user"}
                model = f"{axis}_knn"
                settings = [f"models.{model}.variant={variant}", f"models.{model}.similarity={similarity}"]
                found[f"{model} {variant} {similarity}"] = (
                    [model, *settings],
                    partial(algorithm, sim_options=options, verbose=False, **baseline),
                )
    return {line: pair for line, pair in found.items() if pair[0][0] in HYPERPARAMETERS}


def folds(ratings: pd.DataFrame, k: int) -> Iterator[Fold]:
    place = np.random.default_rng(0).permutation(len(ratings)) % k
    for fold in range(k):
        yield Fold(ratings[place != fold], ratings[place == fold])


def ours(settings: list[str], fold: Fold, users: pd.Index, items: pd.Index) -> Measured:
    model, *overrides = settings
    algorithm = create(model, load("local", overrides, models=HYPERPARAMETERS))
    if not isinstance(algorithm, FitsArrays):
        raise SystemExit(f"{model}: does not train in memory")
    train, test = ((users.get_indexer(pd.Index(rows.user)), items.get_indexer(pd.Index(rows.item))) for rows in fold)
    ratings = Ratings.of(*train, fold.train.rating.to_numpy(np.float32), n_users=len(users), n_items=len(items))
    started = time.perf_counter()
    trained = algorithm.fit_arrays(ratings, seed=0)
    fitted = time.perf_counter()
    predicted = trained.predict(*test).prediction
    ended = time.perf_counter()
    return Measured(_rmse(predicted, fold.test.rating), fitted - started, ended - fitted)


def theirs(make: Callable[[], Any], fold: Fold) -> Measured:
    from surprise import Dataset, Reader

    data = Dataset.load_from_df(fold.train[["user", "item", "rating"]], Reader(rating_scale=(0.5, 5.0)))
    trainset = data.build_full_trainset()
    np.random.seed(0)
    started = time.perf_counter()
    trained = make().fit(trainset)
    fitted = time.perf_counter()
    rows = list(fold.test[["user", "item", "rating"]].itertuples(index=False, name=None))
    predicted = np.array([one.est for one in trained.test(rows)])
    ended = time.perf_counter()
    return Measured(_rmse(predicted, fold.test.rating), fitted - started, ended - fitted)


def _rmse(predicted: Any, rating: Any) -> float:
    return float(np.sqrt(np.mean((np.clip(predicted, 0.5, 5.0) - np.asarray(rating, np.float64)) ** 2)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ratings", type=Path, required=True, help="ratings.csv of MovieLens")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--measured", type=int, help="only the first so many of the folds")
    parser.add_argument("--only", nargs="*", help="lines that begin with one of these")
    arguments = parser.parse_args()
    ratings = pd.read_csv(arguments.ratings).iloc[:, :3].set_axis(["user", "item", "rating"], axis=1)
    users, items = pd.Index(ratings.user.unique()), pd.Index(ratings.item.unique())
    chosen = {
        line: pair for line, pair in peers().items() if not arguments.only or line.startswith(tuple(arguments.only))
    }
    for settings, _ in chosen.values():  # compiled once, not in the first fold
        ours(settings, Fold(ratings[:200], ratings[:50]), users, items)
    print(f"{'':36}{'RMSE':>8}{'Surprise':>10}{'diff %':>8}{'fit s':>8}{'pred s':>8}{'S. fit':>8}{'S. pred':>8}")
    totals = np.zeros(2)
    for line, (settings, make) in chosen.items():
        measured = islice(folds(ratings, arguments.folds), arguments.measured)
        pairs = [(ours(settings, fold, users, items), theirs(make, fold)) for fold in measured]
        own, other = (Measured(*np.mean([pair[side] for pair in pairs], axis=0)) for side in (0, 1))
        totals += [own.fit + own.predict, other.fit + other.predict]
        print(
            f"{line:36}{own.rmse:8.4f}{other.rmse:10.4f}{100 * (own.rmse / other.rmse - 1):8.2f}"
            f"{own.fit:8.2f}{own.predict:8.2f}{other.fit:8.2f}{other.predict:8.2f}",
            flush=True,
        )
    print(f"a fold of all: {totals[0]:.1f} s, Surprise {totals[1]:.1f} s")


if __name__ == "__main__":
    main()
