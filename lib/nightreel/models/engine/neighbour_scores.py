"""What neighbours make of a history, compiled: estimates of ratings, and the best items of many users.

Imported where it is called, since loading numba takes a second.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nightreel.models.engine.catalogue import TILE_BYTES, Floats, Ints, Ranked, best_columns
from nightreel.models.engine.compiled import compiled
from nightreel.models.forms.arrays import Bools, Lists


def estimates(
    table: Lists, rows: Ints, groups: Ints, histories: Lists, *, k: int, by_weight: bool
) -> tuple[Floats, Ints]:
    """For each pair the mean value of its row's neighbours in its group's history.

    Parameters
    ----------
    table : the neighbours of each row, in the order in which they are asked, and their weights
    rows, groups : (pairs,), a row of the table and a list of the histories; -1 where unknown
    histories : ids that the table's ids mean, and their values
    k : only the first k neighbours that the history has count; 0: all
    by_weight : sum(weight * value) / sum(|weight|); else sum(weight * value) / count

    Returns
    -------
    estimate (pairs,) float64, NaN where no neighbour is in the history; support (pairs,), how many are
    """
    order = np.argsort(groups, kind="stable")
    size = int(max(table.ids.max(initial=-1), histories.ids.max(initial=-1))) + 1
    estimate = np.full(len(rows), np.nan)
    support = np.zeros(len(rows), np.int64)
    _estimate(*table, rows, groups, order, *histories, size, k or size, by_weight, estimate, support)
    return estimate, support


@compiled
def _estimate(
    starts: Any, ids: Any, weights: Any, rows: Any, groups: Any, order: Any, history_starts: Any, history_ids: Any,
    history_values: Any, size: int, k: int, by_weight: bool, estimate: Any, support: Any,
) -> None:  # fmt: skip
    value_of = np.full(size, np.nan)
    group = -1
    for pair in order:
        if rows[pair] < 0 or groups[pair] < 0:
            continue
        if groups[pair] != group:
            if group >= 0:
                for entry in range(history_starts[group], history_starts[group + 1]):
                    value_of[history_ids[entry]] = np.nan
            group = groups[pair]
            for entry in range(history_starts[group], history_starts[group + 1]):
                value_of[history_ids[entry]] = history_values[entry]
        total, weight, found = 0.0, 0.0, 0
        for entry in range(starts[rows[pair]], starts[rows[pair] + 1]):
            value = value_of[ids[entry]]
            if np.isnan(value):
                continue
            total += weights[entry] * value
            weight += abs(weights[entry])
            found += 1
            if found == k:
                break
        support[pair] = found
        if found > 0 and (weight > 0 or not by_weight):
            estimate[pair] = total / (weight if by_weight else found)


def best_items(left: Lists, right: Lists, *, items: Bools, prior: Floats, n: int, seen: Lists) -> Ranked:
    """The n best items of each row by left x right, in tiles of bounded size; equal scores in the order of the items.

    Parameters
    ----------
    left : for each row ids of right's lists, and their weights. A row without any is ranked by `prior`
    right : for each id the items, and their weights
    items : (items,), which of them may be recommended
    prior : (items,)
    seen : for each row items that are left out
    """
    n = min(n, int(items.sum()))
    rows_a_tile = max(16, TILE_BYTES // (4 * max(len(items), 1)))
    users = len(left.starts) - 1
    blocks = [Ranked._make(np.empty(0, kind) for kind in (np.int64, np.int64, np.int32, np.float32))]
    for start in range(0, users if n else 0, rows_a_tile):
        rows = np.arange(start, min(start + rows_a_tile, users))
        mine, unwanted = left.of(rows), seen.of(rows)
        scores = np.zeros((len(rows), len(items)), np.float32)
        _add_products(*mine, *right, scores)
        scores[mine.counts == 0] = prior
        scores[:, ~items] = -np.inf
        at = np.repeat(np.arange(len(rows)), unwanted.counts)
        inside = (unwanted.ids >= 0) & (unwanted.ids < len(items))
        scores[at[inside], unwanted.ids[inside]] = -np.inf
        row, rank, item_idx, score = best_columns(scores, n)
        blocks.append(Ranked(row + start, rank, item_idx.astype(np.int32), score))
    return Ranked._make(map(np.concatenate, zip(*blocks, strict=True)))


@compiled
def _add_products(
    starts: Any, ids: Any, values: Any, right_starts: Any, right_ids: Any, right_values: Any, scores: Any
) -> None:
    for row in range(len(starts) - 1):
        for entry in range(starts[row], starts[row + 1]):
            middle = ids[entry]
            if middle < 0 or middle >= len(right_starts) - 1:
                continue
            for place in range(right_starts[middle], right_starts[middle + 1]):
                scores[row, right_ids[place]] += values[entry] * right_values[place]
