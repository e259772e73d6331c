"""nDCG@10 and recall@20 of the rankers beside implicit's and a plain numpy EASE, on the same rows.

A random 80/20 split; full catalogue without the user's training items; relevant: ratings of 4 and up (KMRD: 9 and up);
means over users with a relevant test row, with or without training rows.

    .venv/bin/python bench/lists.py --data ../shared/data --dataset ml-latest-small --seeds 3
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from nightreel.evaluate.array_metrics import ranking_metrics
from nightreel.models import HYPERPARAMETERS, create
from nightreel.models.engine.catalogue import Ranked, best_columns
from nightreel.models.engine.one_task import ArrayContext, FitsArrays
from nightreel.models.forms.arrays import Ratings, lists_of
from nightreel.settings import load

OURS = ("popular", "item_cosine", "user_cosine", "als_implicit", "bpr", "warp", "ease", "blend_lists")
KS = (10, 20)


class Split(NamedTuple):
    """train; then the users asked, and their relevant items; liked: the lowest rating of a relevant item."""

    train: Ratings
    users: Any
    relevant: Any
    liked: float


def read(folder: Path, dataset: str) -> tuple[pd.DataFrame, float]:
    """Columns user, item, rating; of repeated pairs the latest."""
    file, liked = {"ml-latest-small": ("ratings.csv", 4.0), "kmrd-small": ("rates.csv", 9.0)}[dataset]
    rows = pd.read_csv(folder / dataset / file).set_axis(["user", "item", "rating", "time"], axis=1)
    return rows.sort_values("time", kind="stable").drop_duplicates(["user", "item"], keep="last"), liked


def split(rows: pd.DataFrame, liked: float, *, seed: int) -> Split:
    users, items = pd.factorize(rows.user)[0], pd.factorize(rows.item)[0]
    rating = rows.rating.to_numpy(np.float32)
    test = np.random.default_rng(seed).random(len(rows)) < 0.2
    train = Ratings.of(users[~test], items[~test], rating[~test], n_users=users.max() + 1, n_items=items.max() + 1)
    wanted = test & (rating >= liked)
    asked = np.unique(users[wanted])
    relevant = lists_of(np.searchsorted(asked, users[wanted]), items[wanted], rating[wanted], n_rows=len(asked))
    return Split(train, asked, relevant, liked)


def ours(name: str, data: Split, overrides: list[str]) -> tuple[Ranked, float, float]:
    started = time.perf_counter()
    model = fit(name, data, overrides)
    ended = time.perf_counter()
    ranked = model.recommend(data.users, n=max(KS), seen=data.train.by_user.of(data.users))
    return ranked, ended - started, time.perf_counter() - ended


def fit(name: str, data: Split, overrides: list[str]) -> Any:
    """A blend's members are trained too, and counted."""
    wanted = [f"models.{name}.min_rating={data.liked}"] if "min_rating" in HYPERPARAMETERS[name].model_fields else []
    algorithm = create(name, load("local", [*wanted, *overrides], models=HYPERPARAMETERS))
    if not isinstance(algorithm, FitsArrays):
        raise SystemExit(f"{name}: does not train in memory")
    return algorithm.fit_arrays(data.train, seed=0, context=ArrayContext(trained=lambda one: fit(one, data, overrides)))


def peers() -> Mapping[str, Callable[[Any], Any]]:
    """By name, from the matrix of positives to scores of users x items, dense."""
    from implicit.als import AlternatingLeastSquares
    from implicit.bpr import BayesianPersonalizedRanking
    from implicit.nearest_neighbours import BM25Recommender, CosineRecommender

    def factors(make: Callable[[], Any]) -> Callable[[Any], Any]:
        def scores(positives: Any) -> Any:
            model = make()
            model.fit(positives, show_progress=False)
            return np.asarray(model.user_factors) @ np.asarray(model.item_factors).T

        return scores

    def neighbours(make: Callable[[], Any]) -> Callable[[Any], Any]:
        def scores(positives: Any) -> Any:
            model = make()
            model.fit(positives, show_progress=False)
            return (positives @ model.similarity.T).toarray()

        return scores

    def ease(positives: Any) -> Any:
        gramian = (positives.T @ positives).toarray().astype(np.float64)
        gramian[np.diag_indices(len(gramian))] += 100.0
        inverse = np.linalg.inv(gramian)
        weights = -inverse / np.diag(inverse)
        np.fill_diagonal(weights, 0)
        return positives @ weights

    return {
        "implicit ALS": factors(lambda: AlternatingLeastSquares(factors=64, random_state=0, num_threads=1)),
        "implicit BPR": factors(lambda: BayesianPersonalizedRanking(factors=64, random_state=0, num_threads=1)),
        "implicit cosine": neighbours(lambda: CosineRecommender(K=200)),
        "implicit BM25": neighbours(lambda: BM25Recommender(K=200)),
        "numpy EASE": ease,
    }


def theirs(scores_of: Callable[[Any], Any], data: Split) -> tuple[Ranked, float, float]:
    """Users without a positive get what is popular, as ours do."""
    train = data.train
    liked = train.rating >= data.liked
    shape = train.n_users, train.n_items
    positives = csr_matrix((np.ones(liked.sum(), np.float32), (train.user_idx[liked], train.item_idx[liked])), shape)
    started = time.perf_counter()
    scores = np.asarray(scores_of(positives), np.float32)
    ended = time.perf_counter()
    scores = scores[data.users]
    without = positives.getnnz(axis=1)[data.users] == 0
    scores[without] = positives.getnnz(axis=0)
    scores[:, train.by_item.counts == 0] = -np.inf
    seen = train.by_user.of(data.users)
    scores[np.repeat(np.arange(len(data.users)), seen.counts), seen.ids] = -np.inf
    row, rank, item, score = best_columns(scores, max(KS))
    return Ranked(row, rank, item.astype(np.int32), score), ended - started, time.perf_counter() - ended


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--dataset", choices=("ml-latest-small", "kmrd-small"), default="ml-latest-small")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--models", nargs="*", default=OURS)
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--set", action="append", default=[], help="of our models, as the jobs take it")
    arguments = parser.parse_args()
    rows, liked = read(arguments.data, arguments.dataset)
    splits = [split(rows, liked, seed=seed) for seed in range(arguments.seeds)]
    methods: dict[str, Callable[[Split], tuple[Ranked, float, float]]] = {
        name: lambda data, name=name: ours(name, data, arguments.set)  # type: ignore[misc]
        for name in arguments.models
    }
    if not arguments.no_peers:
        methods |= {name: lambda data, make=make: theirs(make, data) for name, make in peers().items()}  # type: ignore[misc]
    print(f"{arguments.dataset}, {len(rows):,} ratings, {arguments.seeds} splits")
    print(f"{'':18}{'nDCG@10':>9}{'recall@20':>11}{'coverage':>10}{'fit s':>8}{'lists s':>9}")
    best: tuple[float, str] = (0.0, "")
    for name, method in methods.items():
        figures = []
        for data in splits:
            ranked, fit, lists = method(data)
            counts = data.train.by_item.counts
            measured = ranking_metrics(
                ranked, data.relevant, ks=KS, popularity=counts, training_users=data.train.n_users
            )
            shown = [measured[metric][0] for metric in ("ndcg@10", "recall@20", "catalogue_coverage@10")]
            figures.append([*shown, fit, lists])
        ndcg, recall, coverage, fit, lists = np.mean(figures, axis=0)
        print(f"{name:18}{ndcg:9.4f}{recall:11.4f}{coverage:10.4f}{fit:8.2f}{lists:9.2f}", flush=True)
        best = max(best, (float(ndcg), name))
    print(f"best nDCG@10: {best[1]} {best[0]:.4f}")


if __name__ == "__main__":
    main()
