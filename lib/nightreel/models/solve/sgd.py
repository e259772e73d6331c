"""Factorisation by stochastic gradient descent and by multiplicative updates, and co-clustering: compiled loops.

Imported where it is called, since loading numba takes a second. All loops visit the rows in their order (by user, then
item), as Surprise does. Arrays named user_* and item_* are changed in place.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nightreel.models.engine.compiled import compiled


@compiled
def factorise(
    user_idx: Any, item_idx: Any, rating: Any, mean: float, user_bias: Any, item_bias: Any, user_factors: Any,
    item_factors: Any, epochs: int, rate: float, reg: float,
) -> None:  # fmt: skip
    """Funk's SGD: for each rating, with e = r - (mean + b_u + b_i + p_u . q_i),

    b_u += rate (e - reg b_u), b_i += rate (e - reg b_i), p_u += rate (e q_i - reg p_u), q_i += rate (e p_u - reg q_i).
    """
    rank = user_factors.shape[1]
    for _ in range(epochs):
        for row in range(len(rating)):
            u, i = user_idx[row], item_idx[row]
            error = rating[row] - mean - user_bias[u] - item_bias[i]
            for f in range(rank):
                error -= user_factors[u, f] * item_factors[i, f]
            user_bias[u] += rate * (error - reg * user_bias[u])
            item_bias[i] += rate * (error - reg * item_bias[i])
            for f in range(rank):
                of_user, of_item = user_factors[u, f], item_factors[i, f]
                user_factors[u, f] += rate * (error * of_item - reg * of_user)
                item_factors[i, f] += rate * (error * of_user - reg * of_item)


@compiled
def factorise_with_history(
    starts: Any, item_idx: Any, rating: Any, mean: float, user_bias: Any, item_bias: Any, user_factors: Any,
    item_factors: Any, history_factors: Any, epochs: int, rate: float, reg: float,
) -> None:  # fmt: skip
    """SVD++: as `factorise`, with p_u + s_u in place of p_u, s_u = |N(u)|^-1/2 sum of y_j over the user's items.

    Each rating changes all y_j of its user by rate (e q_i |N(u)|^-1/2 - reg y_j). They share the first term and the
    shrinking, so a user's y_j are brought up to date once, after the user's last rating, and s_u is followed by
    itself, s_u += rate (e q_i - reg s_u): the same numbers in time linear in the ratings.
    """
    rank = user_factors.shape[1]
    history, added = np.empty(rank), np.empty(rank)
    for _ in range(epochs):
        for u in range(len(starts) - 1):
            count = starts[u + 1] - starts[u]
            if count == 0:
                continue
            root = np.sqrt(count)
            history[:] = 0.0
            added[:] = 0.0
            for row in range(starts[u], starts[u + 1]):
                for f in range(rank):
                    history[f] += history_factors[item_idx[row], f] / root
            for row in range(starts[u], starts[u + 1]):
                i = item_idx[row]
                error = rating[row] - mean - user_bias[u] - item_bias[i]
                for f in range(rank):
                    error -= (user_factors[u, f] + history[f]) * item_factors[i, f]
                user_bias[u] += rate * (error - reg * user_bias[u])
                item_bias[i] += rate * (error - reg * item_bias[i])
                for f in range(rank):
                    of_user, of_item = user_factors[u, f], item_factors[i, f]
                    user_factors[u, f] += rate * (error * of_item - reg * of_user)
                    item_factors[i, f] += rate * (error * (of_user + history[f]) - reg * of_item)
                    history[f] += rate * (error * of_item - reg * history[f])
                    added[f] += rate * (error * of_item / root - reg * added[f])
            shrunk = (1.0 - rate * reg) ** count
            for row in range(starts[u], starts[u + 1]):
                for f in range(rank):
                    history_factors[item_idx[row], f] = history_factors[item_idx[row], f] * shrunk + added[f]


@compiled
def factorise_nonnegative(
    user_idx: Any, item_idx: Any, rating: Any, user_counts: Any, item_counts: Any, user_factors: Any,
    item_factors: Any, epochs: int, user_reg: float, item_reg: float,
) -> None:  # fmt: skip
    """Multiplicative updates over the known ratings: with r' = p_u . q_i and n_u ratings of the user,

    p_uf *= sum(q_if r) / (sum(q_if r') + n_u user_reg p_uf), and so for q_if, all with the factors before the epoch.
    """
    rank = user_factors.shape[1]
    for _ in range(epochs):
        user_up, user_down = np.zeros_like(user_factors), np.zeros_like(user_factors)
        item_up, item_down = np.zeros_like(item_factors), np.zeros_like(item_factors)
        for row in range(len(rating)):
            u, i = user_idx[row], item_idx[row]
            estimate = 0.0
            for f in range(rank):
                estimate += user_factors[u, f] * item_factors[i, f]
            for f in range(rank):
                user_up[u, f] += item_factors[i, f] * rating[row]
                user_down[u, f] += item_factors[i, f] * estimate
                item_up[i, f] += user_factors[u, f] * rating[row]
                item_down[i, f] += user_factors[u, f] * estimate
        for u in range(len(user_factors)):
            for f in range(rank):
                below = user_down[u, f] + user_counts[u] * user_reg * user_factors[u, f]
                if below > 0:
                    user_factors[u, f] *= user_up[u, f] / below
        for i in range(len(item_factors)):
            for f in range(rank):
                below = item_down[i, f] + item_counts[i] * item_reg * item_factors[i, f]
                if below > 0:
                    item_factors[i, f] *= item_up[i, f] / below


@compiled
def nearest_clusters(
    starts: Any, ids: Any, rating: Any, means: Any, cluster_means: Any, other_means: Any, other_clusters: Any,
    other_cluster_means: Any, block_means: Any, clusters: Any,
) -> None:  # fmt: skip
    """Move each x to the cluster c with the least squared error of the estimates

    block_means[c, cluster of y] + means[x] - cluster_means[c] + other_means[y] - other_cluster_means[cluster of y].
    """
    for x in range(len(starts) - 1):
        best, least = clusters[x], np.inf
        for c in range(len(cluster_means)):
            total = 0.0
            for entry in range(starts[x], starts[x + 1]):
                y = ids[entry]
                d = other_clusters[y]
                estimate = block_means[c, d] + means[x] - cluster_means[c] + other_means[y] - other_cluster_means[d]
                total += (rating[entry] - estimate) ** 2
            if total < least:
                best, least = c, total
        clusters[x] = best
