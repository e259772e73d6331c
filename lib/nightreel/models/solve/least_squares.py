"""Alternating least squares of ratings in memory: one side's vectors at a time, compiled.

Imported where it is called, since loading numba takes a second. The objectives are Spark ML's, so that `fit` and
`fit_arrays` of an algorithm differ by their starting vectors only.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nightreel.models.engine.compiled import compiled
from nightreel.models.forms.arrays import Lists, Numbers


def alternate(
    by_user: Lists, by_item: Lists, *, rank: int, reg: float, iterations: int, seed: int, implicit: bool = False,
    nonnegative: bool = False,
) -> tuple[Numbers, Numbers]:  # fmt: skip
    """The vectors of users and items, (rows, rank) float64; zeros where there is nothing to learn from.

    Explicit: minimises sum (r - x_u . y_i)^2 + reg (sum n_u |x_u|^2 + sum n_i |y_i|^2) over the entries. Implicit: over
    all pairs c (p - x_u . y_i)^2 with p = 1, c = 1 + value for an entry, and p = 0, c = 1 for every other pair.

    Parameters
    ----------
    by_user, by_item : the same entries; of `implicit`, values are alpha times the confidence
    """
    random = np.random.default_rng(seed)
    users, items = (_start(random, len(lists.starts) - 1, rank) for lists in (by_user, by_item))
    for _ in range(iterations):
        _solve(*by_item, users, items, reg, implicit, nonnegative)
        _solve(*by_user, items, users, reg, implicit, nonnegative)
    return users, items


def _start(random: np.random.Generator, rows: int, rank: int) -> Numbers:
    """Normal directions of length 1 with entries above 0, as Spark's."""
    vectors = np.abs(random.normal(size=(rows, rank)))
    lengths: Numbers = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / lengths


@compiled
def _solve(
    starts: Any, ids: Any, values: Any, other: Any, own: Any, reg: float, implicit: bool, nonnegative: bool
) -> None:
    rank = other.shape[1]
    gramian = other.T @ other if implicit else np.zeros((rank, rank))
    for row in range(len(starts) - 1):
        count = starts[row + 1] - starts[row]
        if count == 0:
            own[row] = 0.0
            continue
        left, right = gramian.copy(), np.zeros(rank)
        for entry in range(starts[row], starts[row + 1]):
            vector, value = other[ids[entry]], values[entry]
            weight, target = (value, 1.0 + value) if implicit else (1.0, value)
            for a in range(rank):
                right[a] += target * vector[a]
                for b in range(a + 1):
                    left[a, b] += weight * vector[a] * vector[b]
        for a in range(rank):
            left[a, a] += reg * count
            for b in range(a):
                left[b, a] = left[a, b]
        if nonnegative:
            _descend(left, right, own[row])
        else:
            own[row] = np.linalg.solve(left, right)


@compiled
def _descend(left: Any, right: Any, solution: Any) -> None:
    """The solution without negative entries, by coordinate descent from where it stands."""
    for _ in range(50):
        moved = 0.0
        for a in range(len(right)):
            rest = right[a]
            for b in range(len(right)):
                if b != a:
                    rest -= left[a, b] * solution[b]
            value = max(rest / left[a, a], 0.0) if left[a, a] > 0 else 0.0
            moved = max(moved, abs(value - solution[a]))
            solution[a] = value
        if moved < 1e-7:
            return
