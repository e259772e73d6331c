"""Ranking by pairs of a positive and an unseen item, by stochastic gradient descent; compiled.

Imported where it is called, since loading numba takes a second. A user's items are ascending, and searched by halves.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nightreel.models.engine.compiled import compiled


@compiled
def descend(
    users: Any, positives: Any, starts: Any, ids: Any, user_factors: Any, item_factors: Any, item_bias: Any,
    epochs: int, rate: float, reg: float, most_drawn: int, seed: int,
) -> None:  # fmt: skip
    """Each epoch visits as many drawn positives (u, i) as there are, with an item j the user has not met.

    most_drawn = 0, BPR: with s = 1 / (1 + exp(x_ui - x_uj)), every parameter moves by rate (s d(x_ui - x_uj) - reg w).
    most_drawn > 0, WARP: j are drawn until one has x_uj > x_ui - 1, at most so many times; if it was the n-th, the
    step's weight s is log((items - 1) / n), from 1 to 10, and Adagrad scales the steps, both as LightFM does.
    """
    np.random.seed(seed)
    rank, n_items = user_factors.shape[1], len(item_bias)
    user_squares, item_squares = np.ones_like(user_factors), np.ones_like(item_factors)
    item_bias_squares = np.ones_like(item_bias)
    for _ in range(epochs):
        for _ in range(len(users)):
            at = np.random.randint(len(users))
            u, i = users[at], positives[at]
            liked = item_bias[i]
            for f in range(rank):
                liked += user_factors[u, f] * item_factors[i, f]
            slope, j = 0.0, 0
            for drawn in range(1, max(most_drawn, 1) + 1):
                j = np.random.randint(n_items)
                if _has(ids, starts[u], starts[u + 1], j):
                    continue
                other = item_bias[j]
                for f in range(rank):
                    other += user_factors[u, f] * item_factors[j, f]
                if most_drawn == 0:
                    slope = 1.0 / (1.0 + np.exp(liked - other))
                elif other > liked - 1.0:
                    slope = min(10.0, max(1.0, np.log(max(1.0, (n_items - 1) // drawn))))
                    break
            if slope == 0.0:
                continue
            if most_drawn == 0:
                item_bias[i] += rate * (slope - reg * item_bias[i])
                item_bias[j] += rate * (-slope - reg * item_bias[j])
                for f in range(rank):
                    of_user, better, worse = user_factors[u, f], item_factors[i, f], item_factors[j, f]
                    user_factors[u, f] += rate * (slope * (better - worse) - reg * of_user)
                    item_factors[i, f] += rate * (slope * of_user - reg * better)
                    item_factors[j, f] += rate * (-slope * of_user - reg * worse)
                continue
            _adapt(item_bias, item_bias_squares, i, slope - reg * item_bias[i], rate)
            _adapt(item_bias, item_bias_squares, j, -slope - reg * item_bias[j], rate)
            for f in range(rank):
                of_user, better, worse = user_factors[u, f], item_factors[i, f], item_factors[j, f]
                _adapt(user_factors[u], user_squares[u], f, slope * (better - worse) - reg * of_user, rate)
                _adapt(item_factors[i], item_squares[i], f, slope * of_user - reg * better, rate)
                _adapt(item_factors[j], item_squares[j], f, -slope * of_user - reg * worse, rate)


@compiled
def descend_with_features(
    users: Any, positives: Any, starts: Any, ids: Any, user_factors: Any, features: Any, bias: Any,
    feature_starts: Any, feature_ids: Any, feature_weights: Any, epochs: int, rate: float, reg: float,
    most_drawn: int, seed: int,
) -> None:  # fmt: skip
    """WARP as `descend`, of items whose vector and bias are the weighted sums of those of their features.

    features, bias : (features, rank) and (features,)
    feature_starts, feature_ids, feature_weights : for each item its features
    """
    np.random.seed(seed)
    rank, n_items = user_factors.shape[1], len(feature_starts) - 1
    user_squares, squares, bias_squares = np.ones_like(user_factors), np.ones_like(features), np.ones_like(bias)
    better, worse, own = np.empty(rank), np.empty(rank), np.empty(rank)
    for _ in range(epochs):
        for _ in range(len(users)):
            at = np.random.randint(len(users))
            u, i = users[at], positives[at]
            own[:] = user_factors[u]
            liked = _sum_of(i, feature_starts, feature_ids, feature_weights, features, bias, better) + own @ better
            slope, j = 0.0, 0
            for drawn in range(1, most_drawn + 1):
                j = np.random.randint(n_items)
                if _has(ids, starts[u], starts[u + 1], j):
                    continue
                other = _sum_of(j, feature_starts, feature_ids, feature_weights, features, bias, worse) + own @ worse
                if other > liked - 1.0:
                    slope = min(10.0, max(1.0, np.log(max(1.0, (n_items - 1) // drawn))))
                    break
            if slope == 0.0:
                continue
            for f in range(rank):
                _adapt(user_factors[u], user_squares[u], f, slope * (better[f] - worse[f]) - reg * own[f], rate)
            for side in range(2):
                item, step = (i, slope) if side == 0 else (j, -slope)
                for entry in range(feature_starts[item], feature_starts[item + 1]):
                    feature, part = feature_ids[entry], step * feature_weights[entry]
                    _adapt(bias, bias_squares, feature, part - reg * bias[feature], rate)
                    for f in range(rank):
                        _adapt(features[feature], squares[feature], f, part * own[f] - reg * features[feature, f], rate)


@compiled
def _sum_of(item: int, starts: Any, ids: Any, weights: Any, features: Any, bias: Any, vector: Any) -> float:
    """The item's vector, into `vector`, and its bias."""
    vector[:] = 0.0
    total = 0.0
    for entry in range(starts[item], starts[item + 1]):
        total += weights[entry] * bias[ids[entry]]
        for f in range(len(vector)):
            vector[f] += weights[entry] * features[ids[entry], f]
    return total


@compiled
def _adapt(values: Any, squares: Any, at: int, step: float, rate: float) -> None:
    """Adagrad, whose sums of squares start at 1."""
    squares[at] += step * step
    values[at] += rate * step / np.sqrt(squares[at])


@compiled
def _has(ids: Any, start: int, stop: int, item: int) -> bool:
    while start < stop:
        middle = (start + stop) // 2
        if ids[middle] < item:
            start = middle + 1
        elif ids[middle] > item:
            stop = middle
        else:
            return True
    return False
