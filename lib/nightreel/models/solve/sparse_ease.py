"""EASE of more items than one task can hold all pairs of: each item's weights from its nearest items alone.

Imported where it is called, since loading numba takes a second.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import lapack

from nightreel.models.engine.catalogue import Floats, Ints
from nightreel.models.engine.compiled import compiled
from nightreel.models.engine.row_blocks import WHOLE, Share, by_blocks
from nightreel.models.forms.arrays import Lists
from nightreel.models.solve.similarities import cosines

NEAREST = 100
"""Items that an item has weights with; solving for them takes time in the cube of it."""
_STORED = 1000
"""Pairs of an item that are not taken as 0: those with the highest cosine."""


def sparse_ease(lists: Lists, n_items: int, *, reg: float, kept: int, share: Share = WHOLE) -> Lists:
    """For each item its weights with the NEAREST items, the largest first.

    With N the item i and its nearest, S the Gramian of N in which pairs that are not stored are 0, and P = (S + reg
    I)^-1: B_ij = -P_ij / P_ii (Steck, "Markov Random Fields for Collaborative Filtering", NeurIPS 2019, where each item
    has a neighbourhood of its own).

    Parameters
    ----------
    lists : of each user the items, and what they count
    kept : weights an item, those that are largest whatever their sign
    share : whose items are computed
    """
    pairs = _strongest_pairs(lists, n_items)
    diagonal = np.bincount(lists.ids, lists.values**2, minlength=n_items).astype(np.float32) + np.float32(reg)
    place = np.full(n_items, -1, np.int32)

    def weights(asked: Ints) -> Lists:
        found = [_weights_of(item, pairs, diagonal, place, kept) for item in asked]
        counts = np.array([len(ids) for ids, _ in found])
        ids, values = (np.concatenate([part[side] for part in found]) for side in (0, 1))
        return Lists(np.concatenate([[0], np.cumsum(counts)]), ids, values)

    return by_blocks(share, n_items, weights)


def _strongest_pairs(lists: Lists, n_items: int) -> Lists:
    """Of each item the products with others, those with the highest cosine first."""
    by_item = lists.transposed(n_items)
    found = cosines(by_item, len(lists.counts), kept=_STORED)
    lengths = np.sqrt(np.bincount(lists.ids, lists.values**2, minlength=n_items)).astype(np.float32)
    return found._replace(values=found.values * np.repeat(lengths, found.counts) * lengths[found.ids])


def _weights_of(item: int, pairs: Lists, diagonal: Floats, place: Ints, kept: int) -> tuple[Ints, Floats]:
    nearest = pairs.ids[pairs.starts[item] : pairs.starts[item + 1]][:NEAREST]
    near = np.append(item, nearest).astype(np.int32)
    while True:
        place[near] = np.arange(len(near))
        gramian = np.diag(diagonal[near])
        _fill(near, *pairs, place, gramian)
        place[near] = -1
        unit = np.zeros(len(near), np.float32)
        unit[0] = 1.0
        _, column, failed = lapack.sposv(gramian, unit)
        if not failed:
            break
        # Pairs taken as 0 can leave a matrix that is not positive definite: of fewer items fewer are missing.
        near = near[: len(near) // 2]
    weights = -column[1:] / column[0]
    largest = np.argsort(-np.abs(weights), kind="stable")[:kept]
    order = largest[np.argsort(-weights[largest], kind="stable")]
    return near[1:][order], weights[order].astype(np.float32)


@compiled
def _fill(near: Any, starts: Any, ids: Any, values: Any, place: Any, gramian: Any) -> None:
    for row in range(len(near)):
        for entry in range(starts[near[row]], starts[near[row] + 1]):
            column = place[ids[entry]]
            if column >= 0:
                gramian[row, column] = values[entry]
                gramian[column, row] = values[entry]
