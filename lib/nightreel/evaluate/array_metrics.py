"""The metrics of metrics.py, of answers in memory: the same names and definitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from nightreel.models.engine.catalogue import Floats, Ints, Ranked
from nightreel.models.forms.arrays import Bools, Lists, Predicted
from nightreel.settings import ScaleSettings

Metrics = Mapping[str, tuple[float, int]]
"""By a metric's name, its value and the number of rows it was measured on."""


def rating_metrics(predicted: Predicted, rating: Floats, scale: ScaleSettings) -> Metrics:
    """rmse and mae of predictions clipped to the scale; coverage and cold_rows.

    Parameters
    ----------
    rating : (pairs,), of the predicted pairs
    """
    rows = len(rating)
    error = np.clip(predicted.prediction.astype(np.float64), scale.lowest, scale.highest) - rating
    cold = int(predicted.cold.sum())
    values = {
        "rmse": float(np.sqrt(np.mean(error**2))),
        "mae": float(np.mean(np.abs(error))),
        "coverage": 1 - cold / rows,
        "cold_rows": float(cold),
    }
    return {name: (value, rows) for name, value in values.items()}


def ranking_metrics(
    ranked: Ranked, relevant: Lists, *, ks: Sequence[int], popularity: Ints, training_users: int
) -> Metrics:
    """Means over the users with a relevant item, and what of the catalogue is shown to anyone.

    Parameters
    ----------
    ranked : `row` is the user's list of `relevant`
    relevant : for each user asked for, the relevant held-out items
    popularity : (items,), training rows of each item of the catalogue
    """
    hits = np.zeros((len(relevant.counts), max(ks)), np.bool_)
    width = len(popularity)
    owners = np.repeat(np.arange(len(relevant.counts)), relevant.counts)
    wanted = owners * width + relevant.ids
    shown = np.isin(ranked.row * width + ranked.item_idx, wanted)
    hits[ranked.row[shown], ranked.rank[shown] - 1] = True
    with_relevant = relevant.counts > 0
    measured = _of_users(hits[with_relevant], relevant.counts[with_relevant], ks)
    return measured | _of_catalogue(ranked, ks=ks, popularity=popularity, training_users=training_users)


def sampled_metrics(
    ranked: Ranked, relevant: Lists, *, ks: Sequence[int], n_items: int, negatives: int, seed: int
) -> Metrics:
    """sampled_hit_rate@k and sampled_ndcg@k: each relevant item ranked among drawn items that are not relevant.

    The protocol of He et al., "Neural Collaborative Filtering", WWW 2017. It flatters models that tell popular items
    from rare ones, and is not comparable with metrics of the full catalogue (Krichene and Rendle, KDD 2020).

    Parameters
    ----------
    ranked : every item of each user that may be recommended; an item that is not ranked stands last
    negatives : drawn for each relevant item, with replacement, from the ranked items that are not relevant to the user
    """
    random = np.random.default_rng(seed)
    place_of = np.full((len(relevant.counts), n_items), n_items + 1, np.int64)
    place_of[ranked.row, ranked.item_idx] = ranked.rank
    places: list[Ints] = []
    for user in np.flatnonzero(relevant.counts):
        wanted = relevant.ids[relevant.starts[user] : relevant.starts[user + 1]]
        others = np.flatnonzero(place_of[user] <= n_items)
        others = others[~np.isin(others, wanted)]
        if len(others):
            drawn = place_of[user][random.choice(others, (len(wanted), negatives))]
            places.append(1 + (drawn < place_of[user][wanted][:, None]).sum(axis=1))
    place = np.concatenate(places) if places else np.zeros(0, np.int64)
    measured: dict[str, tuple[float, int]] = {}
    for k in ks:
        found = place <= k
        values = {"hit_rate": found, "ndcg": found / np.log2(place + 1)}
        for name, of_items in values.items():
            measured[f"sampled_{name}@{k}"] = (float(of_items.mean()) if len(place) else float("nan"), len(place))
    return measured


def _of_users(hits: Bools, relevant: Ints, ks: Sequence[int]) -> dict[str, tuple[float, int]]:
    """hits : (users, ranks); relevant : (users,), how many."""
    places = np.arange(1, hits.shape[1] + 1)
    gains = 1 / np.log2(places + 1)
    ideal = np.concatenate([[0.0], np.cumsum(gains)])
    precisions = hits * np.cumsum(hits, axis=1) / places
    measured: dict[str, tuple[float, int]] = {}
    for k in ks:
        upper = hits[:, :k]
        found, best = upper.sum(axis=1), np.minimum(k, relevant)
        first = np.where(upper.any(axis=1), upper.argmax(axis=1) + 1.0, np.inf)
        of_users = {
            "precision": found / k,
            "recall": found / relevant,
            "ndcg": (upper * gains[:k]).sum(axis=1) / ideal[best],
            "map": precisions[:, :k].sum(axis=1) / best,
            "mrr": 1 / first,
            "hit_rate": found > 0,
        }
        for name, values in of_users.items():
            measured[f"{name}@{k}"] = (float(np.mean(values)) if len(hits) else float("nan"), len(hits))
    return measured


def _of_catalogue(
    ranked: Ranked, *, ks: Sequence[int], popularity: Ints, training_users: int
) -> dict[str, tuple[float, int]]:
    bits = -np.log2(np.maximum(popularity, 1) / training_users)
    measured: dict[str, tuple[float, int]] = {}
    for k in ks:
        items = ranked.item_idx[ranked.rank <= k]
        measured[f"catalogue_coverage@{k}"] = (len(np.unique(items)) / len(popularity), len(popularity))
        measured[f"novelty@{k}"] = (float(bits[items].mean()) if len(items) else float("nan"), len(items))
    return measured
