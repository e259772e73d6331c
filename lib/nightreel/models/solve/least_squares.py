"""Alternating least squares, the arithmetic: the vectors of some rows of a side, the other side's fixed; compiled.

Imported where it is called, since loading numba takes a second. The objectives are Spark ML's.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nightreel.models.engine.catalogue import Floats
from nightreel.models.engine.compiled import compiled
from nightreel.models.forms.arrays import Lists
from nightreel.models.solve.loss import Loss

_EXACT_UP_TO, _STEPS = 32, 3
_GATHERED = 8192
"""Rows of the other side that are laid out at once, so that those of a long list stay in the cache."""


def alternate(
    by_user: Lists, by_item: Lists, *, rank: int, reg: float, iterations: int, seed: int, implicit: bool = False,
    nonnegative: bool = False, power: float = 1.0,
) -> tuple[Floats, Floats]:  # fmt: skip
    """The vectors of users and items, (rows, rank) float32; zeros where there is nothing to learn from.

    Explicit: minimises sum (r - x_u . y_i)^2 + reg (sum n_u |x_u|^2 + sum n_i |y_i|^2) over the entries. Implicit: over
    all pairs c (p - x_u . y_i)^2 with p = 1, c = 1 + value for an entry, and p = 0, c = 1 for every other pair.

    Parameters
    ----------
    by_user, by_item : the same entries; of `implicit`, values are alpha times the confidence
    power : of n_u and n_i in the penalty
    """
    users, items = start(len(by_user.starts) - 1, len(by_item.starts) - 1, rank=rank, seed=seed)
    if nonnegative:
        users, items = np.abs(users), np.abs(items)
    for number in range(1, iterations + 1):
        how: Any = {"reg": reg, "implicit": implicit, "nonnegative": nonnegative, "power": power}
        items, _ = solved(by_item, users, items, **how)
        users, _ = solved(by_user, items, users, **how, exact=number == iterations)
    return users, items


def start(n_users: int, n_items: int, *, rank: int, seed: int) -> tuple[Floats, Floats]:
    """Normal directions of length 1, as Spark's."""
    random = np.random.default_rng(seed)
    vectors = [random.normal(size=(rows, rank)) for rows in (n_users, n_items)]
    users, items = ((part / np.linalg.norm(part, axis=1, keepdims=True)).astype(np.float32) for part in vectors)
    return users, items


def solved(
    lists: Lists, other: Floats, own: Floats, *, reg: float, implicit: bool, nonnegative: bool = False,
    exact: bool = False, power: float = 1.0,
) -> tuple[Floats, Loss]:  # fmt: skip
    """The vectors of the lists' rows that minimise the objective with the other side's fixed.

    Of `implicit` and a rank above 32 they are brought nearer, by three steps of conjugate gradients from where they
    stand: that costs the square of the rank, the exact solution the cube (Takacs, Pilaszy and Tikk, RecSys 2011).

    Parameters
    ----------
    lists : of each row the ids of the other side, and values
    other : (other rows, rank)
    own : (at least as many as rows, rank), where they stand
    exact : the exact solution at any rank
    power : of a row's entries, whose count multiplies reg
    """
    rank = other.shape[1]
    gramian = other.T @ other if implicit else np.zeros((0, rank), np.float32)
    found, squares = own[: len(lists.counts)].copy(), np.zeros(1)
    starts, gramian = np.ascontiguousarray(lists.starts, np.int64), np.ascontiguousarray(gramian)
    penalties = (reg * lists.counts.astype(np.float64) ** power).astype(np.float32)
    if implicit and rank > _EXACT_UP_TO and not exact:
        _approach(starts, lists.ids, lists.values, other, found, penalties, gramian, squares)
    else:
        _solve(starts, lists.ids, lists.values, other, found, penalties, gramian, nonnegative, squares)
    lengths = np.einsum("ij,ij->i", found, found, dtype=np.float64)
    return found, Loss(float(squares[0]), float((penalties * lengths)[lists.counts > 0].sum()))


@compiled
def _solve(
    starts: Any, ids: Any, values: Any, other: Any, own: Any, penalties: Any, gramian: Any, nonnegative: bool,
    squares: Any,
) -> None:  # fmt: skip
    rank, implicit = other.shape[1], gramian.shape[0] > 0
    for row in range(len(starts) - 1):
        first, last = starts[row], starts[row + 1]
        count = last - first
        if count == 0:
            own[row] = 0.0
            continue
        added = penalties[row]
        if count < rank and not implicit and not nonnegative:
            # With fewer entries than dimensions the entries' own system is smaller: x = V' (V V' + reg n I)^-1 r.
            vectors = other[ids[first:last]]
            left = np.dot(vectors, vectors.T)
            for a in range(count):
                left[a, a] += added
            right = values[first:last].copy()
            _solve_in_place(left, right)
            own[row] = np.dot(right, vectors)
            for a in range(count):  # what is left of each entry is reg n times its weight
                squares[0] += (added * right[a]) ** 2
            continue
        left, right = np.zeros((rank, rank), np.float32), np.zeros(rank, np.float32)
        if implicit:
            left += gramian
        for begin in range(first, last, _GATHERED):
            end = min(begin + _GATHERED, last)
            vectors, part = other[ids[begin:end]], values[begin:end]
            if implicit:
                weighted = vectors * part.reshape((-1, 1))
                left += np.dot(weighted.T, vectors)
                right += np.dot(part + np.float32(1.0), vectors)
            else:
                left += np.dot(vectors.T, vectors)
                right += np.dot(part, vectors)
        for a in range(rank):
            left[a, a] += added
        if nonnegative:
            _descend(left, right, own[row])
        else:
            _solve_in_place(left, right)
            own[row] = right
        for begin in range(first, last, _GATHERED):
            end = min(begin + _GATHERED, last)
            told = np.dot(other[ids[begin:end]], own[row])
            for place in range(end - begin):
                value = values[begin + place]
                if implicit:  # over the entry what it has more than a pair without one
                    squares[0] += (1.0 + value) * (1.0 - told[place]) ** 2 - told[place] ** 2
                else:
                    squares[0] += (value - told[place]) ** 2
        if implicit:
            squares[0] += np.dot(own[row], np.dot(gramian, own[row]))


@compiled
def _approach(
    starts: Any, ids: Any, values: Any, other: Any, own: Any, penalties: Any, gramian: Any, squares: Any
) -> None:
    for row in range(len(starts) - 1):
        first, last = starts[row], starts[row + 1]
        if first == last:
            own[row] = 0.0
            continue
        vectors, weights, added = other[ids[first:last]], values[first:last], penalties[row]
        solution = own[row].copy()
        told = np.dot(vectors, solution)
        rest = np.dot(weights * (np.float32(1.0) - told) + np.float32(1.0), vectors)
        rest -= np.dot(gramian, solution) + added * solution
        direction, length = rest.copy(), np.dot(rest, rest)
        for _ in range(_STEPS):
            if length < 1e-20:
                break
            along = np.dot(vectors, direction)
            image = np.dot(gramian, direction) + np.dot(weights * along, vectors) + added * direction
            step = length / np.dot(direction, image)
            solution += step * direction
            rest -= step * image
            before, length = length, np.dot(rest, rest)
            direction = rest + (length / before) * direction
        own[row] = solution
        told = np.dot(vectors, solution)
        for place in range(last - first):
            squares[0] += (1.0 + weights[place]) * (1.0 - told[place]) ** 2 - told[place] ** 2
        squares[0] += np.dot(solution, np.dot(gramian, solution))


@compiled
def _solve_in_place(left: Any, right: Any) -> None:
    """The solution in `right`, by Cholesky; only the upper triangle of `left` is read, and it is overwritten."""
    rank = len(right)
    for a in range(rank):
        scale = np.float32(1.0) / np.sqrt(left[a, a])
        for c in range(a, rank):
            left[a, c] *= scale
        for b in range(a + 1, rank):
            factor = left[a, b]
            for c in range(b, rank):
                left[b, c] -= factor * left[a, c]
    for a in range(rank):
        right[a] /= left[a, a]
        for c in range(a + 1, rank):
            right[c] -= left[a, c] * right[a]
    for a in range(rank - 1, -1, -1):
        rest = right[a]
        for c in range(a + 1, rank):
            rest -= left[a, c] * right[c]
        right[a] = rest / left[a, a]


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
