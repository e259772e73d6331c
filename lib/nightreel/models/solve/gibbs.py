"""Gibbs sampling of a factorisation, the arithmetic: rows of a side drawn, and what their prior follows from; compiled.

Imported where it is called, since loading numba takes a second.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve
from scipy.special import gammaln

from nightreel.models.engine.catalogue import Floats, Ints
from nightreel.models.engine.compiled import compiled
from nightreel.models.forms.arrays import Lists

Doubles = npt.NDArray[np.float64]

_FREEDOMS = 2.0 ** np.arange(0.5, 10.0, 0.5)
_CHOLESKY_UP_TO = 3000
"""Rows of a link's Gramian; above, conjugate gradients take less time than its Cholesky factor."""
_GATHERED = 8192


class Prior(NamedTuple):
    """What the vectors of a side are drawn around: normal with this mean, (d,), and precision, (d, d)."""

    mean: Doubles
    precision: Doubles

    @property
    def spread(self) -> Doubles:
        """(d, d), C with C C' the covariance."""
        spread: Doubles = np.linalg.cholesky(np.linalg.inv(self.precision))
        return spread


class Drawn(NamedTuple):
    """The rows of a side after a draw.

    vectors : (rows, d), the bias first; link : (rows, d), what the link adds to the prior's mean
    sums : (rows, extra), the extra columns of the row's entries added up, by 1 / sqrt(entries)
    squares : (rows,), the squared residuals of its entries by the other side's weight; counts : (rows,)
    """

    vectors: Floats
    link: Floats
    sums: Floats
    squares: Floats
    counts: Floats

    @classmethod
    def split(cls, columns: Floats, d: int) -> Drawn:
        """Of the columns that `draw` gives."""
        return cls(columns[:, :d], columns[:, d : 2 * d], columns[:, 2 * d : -2], columns[:, -2], columns[:, -1])


def draw(lists: Lists, other: Floats, own: Floats, rows: Ints, *, prior: Prior, alpha: float, seed: int) -> Floats:
    """New vectors of the lists' rows, each given the other side's: (rows, 2 d + extra + 2), as Drawn.split takes them.

    rating - mean ~ N(b + b_other + p . p_other, 1 / (alpha own other's weight)), and (b, p) ~ N(mean + link, the
    prior's precision), the link being the sum of the entries' link columns by 1 / sqrt(entries).

    Parameters
    ----------
    lists : of each row the ids of the other side, and ratings less their mean
    other : (other rows, 2 d + 1 + extra): vector, weight, link, extra columns
    own : (at least as many as rows, 1), the rows' weights
    rows : the indices of the rows; with the seed they decide the noise
    """
    d = len(prior.mean)
    columns = np.zeros((len(lists.counts), other.shape[1] + 1), np.float32)
    weights, starts = np.ascontiguousarray(own[:, 0], np.float32), np.ascontiguousarray(lists.starts, np.int64)
    _draw(
        starts, lists.ids, lists.values, other, weights, np.ascontiguousarray(rows, np.int64), d, prior.mean,
        prior.precision, alpha, seed, columns,
    )  # fmt: skip
    return columns


@compiled
def _draw(
    starts: Any, ids: Any, values: Any, other: Any, weights: Any, rows: Any, d: int, mean: Any, precision: Any,
    alpha: float, seed: int, columns: Any,
) -> None:  # fmt: skip
    extra = other.shape[1] - 2 * d - 1
    noise = np.zeros(d)
    for row in range(len(starts) - 1):
        first, last = starts[row], starts[row + 1]
        count = last - first
        scale = 1.0 / np.sqrt(max(count, 1))
        left, right = np.zeros((d, d), np.float32), np.zeros(d, np.float32)
        sums = np.zeros(d + extra)
        by = np.float32(alpha * weights[row])
        for begin in range(first, last, _GATHERED):
            end = min(begin + _GATHERED, last)
            part = end - begin
            vectors, weighted, rest = (
                np.empty((part, d), np.float32),
                np.empty((part, d), np.float32),
                np.empty(part, np.float32),
            )
            for place in range(part):
                other_row = other[ids[begin + place]]
                weight = by * other_row[d]
                vectors[place, 0] = np.float32(1.0)
                weighted[place, 0] = weight
                for c in range(1, d):
                    vectors[place, c] = other_row[c]
                    weighted[place, c] = weight * other_row[c]
                rest[place] = values[begin + place] - other_row[0]
                for c in range(d + extra):
                    sums[c] += other_row[d + 1 + c]
            left += np.dot(weighted.T, vectors)
            right += np.dot(rest, weighted)
        prior = mean.copy()
        for c in range(d):
            columns[row, d + c] = scale * sums[c]
            prior[c] += columns[row, d + c]
        for c in range(extra):
            columns[row, 2 * d + c] = scale * sums[d + c]
        solved = np.dot(precision, prior) + right
        factor = np.linalg.cholesky(precision + left)
        _normals(seed, rows[row], noise)
        for a in range(d):
            for b in range(a):
                solved[a] -= factor[a, b] * solved[b]
            solved[a] /= factor[a, a]
        for a in range(d - 1, -1, -1):
            solved[a] += noise[a]
            for b in range(a + 1, d):
                solved[a] -= factor[b, a] * solved[b]
            solved[a] /= factor[a, a]
        for c in range(d):
            columns[row, c] = solved[c]
        squares = 0.0
        for place in range(first, last):
            other_row = other[ids[place]]
            told = solved[0] + other_row[0]
            for c in range(1, d):
                told += solved[c] * other_row[c]
            squares += other_row[d] * (values[place] - told) ** 2
        columns[row, 2 * d + extra] = squares
        columns[row, 2 * d + extra + 1] = count


@compiled
def _normals(seed: int, row: int, noise: Any) -> None:
    """Standard normal numbers that follow from the seed and the row alone, whatever block the row is in."""
    state = _mixed(np.uint64(seed) ^ _mixed(np.uint64(row) + np.uint64(0x9E3779B97F4A7C15)))
    for place in range(0, len(noise), 2):
        state += np.uint64(0x9E3779B97F4A7C15)
        first = np.float64((_mixed(state) >> np.uint64(11)) + np.uint64(1)) * 2.0**-53
        state += np.uint64(0x9E3779B97F4A7C15)
        second = np.float64(_mixed(state) >> np.uint64(11)) * 2.0**-53
        radius, angle = np.sqrt(-2.0 * np.log(first)), 2.0 * np.pi * second
        noise[place] = radius * np.cos(angle)
        if place + 1 < len(noise):
            noise[place + 1] = radius * np.sin(angle)


@compiled
def _mixed(state: Any) -> Any:
    """SplitMix64's finaliser."""
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def draw_prior(vectors: Doubles, random: np.random.Generator) -> Prior:
    """Mean and precision of these vectors' distribution, from the normal-Wishart posterior with a unit scale matrix.

    Salakhutdinov and Mnih, "Bayesian Probabilistic Matrix Factorization using Markov Chain Monte Carlo", ICML 2008.
    """
    n, d = vectors.shape
    mean, pull = vectors.mean(axis=0), 2.0
    scatter = np.cov(vectors.T, bias=True).reshape(d, d)
    scale = np.linalg.inv(np.eye(d) + n * scatter + (pull * n / (pull + n)) * np.outer(mean, mean))
    bartlett = np.zeros((d, d))
    for a in range(d):
        bartlett[a, a] = np.sqrt(random.chisquare(d + n - a))
        bartlett[a, :a] = random.normal(size=a)
    root = np.linalg.cholesky((scale + scale.T) / 2) @ bartlett
    precision = root @ root.T
    off = np.linalg.solve(np.linalg.cholesky((pull + n) * precision).T, random.normal(size=d))
    return Prior(off + n * mean / (pull + n), precision)


def draw_weights(drawn: Drawn, own: Floats, alpha: float, random: np.random.Generator) -> Floats:
    """(rows, 1): by how much the noise of each row's entries is less than that of all, of mean 1.

    They are drawn from Gamma(v / 2, v / 2) times the likelihood of the residuals, and v from a grid given the weights
    as they were: where rows are alike v grows and the weights are all near 1.
    """
    known = drawn.counts > 0
    weights = own[known, 0].astype(np.float64)
    half = _FREEDOMS / 2
    fits = len(weights) * (half * np.log(half) - gammaln(half)) + half * (np.log(weights).sum() - weights.sum())
    chances = np.exp(fits - fits.max())
    v = random.choice(_FREEDOMS, p=chances / chances.sum())
    shape, rate = (v + drawn.counts) / 2, (v + alpha * drawn.squares) / 2
    drawn_weights: Floats = (random.gamma(shape) / rate).astype(np.float32)[:, None]
    return drawn_weights


def draw_alpha(drawn: Drawn, own: Floats, random: np.random.Generator) -> float:
    """The precision of the noise; its prior is as good as flat."""
    squares = float(drawn.squares.astype(np.float64) @ own[:, 0])
    return float(random.gamma(1 + float(drawn.counts.sum()) / 2, 1 / (1 + squares / 2)))


def draw_strength(coefficients: Floats, prior: Prior, random: np.random.Generator) -> float:
    """The precision of a link's coefficients, relative to that of the vectors."""
    size = float(np.einsum("ij,jk,ik->", coefficients.astype(np.float64), prior.precision, coefficients, optimize=True))
    return float(random.gamma((1 + coefficients.size) / 2, 2 / (1 + size)))


def solve_link(gramian: Floats, strength: float, right: Floats) -> Floats:
    """(gramian + strength I)^-1 right, by Cholesky or, of many rows, by conjugate gradients."""
    if len(gramian) <= _CHOLESKY_UP_TO:
        left = gramian.copy()
        left[np.diag_indices(len(left))] += strength
        solution: Floats = cho_solve(cho_factor(left, lower=True, overwrite_a=True, check_finite=False), right)
        return solution
    inverse = (1.0 / (gramian.diagonal() + strength))[:, None].astype(np.float32)
    solution, rest = np.zeros_like(right), right.copy()
    towards = inverse * rest
    direction, length = towards.copy(), (rest * towards).sum(axis=0)
    wanted = 1e-8 * length
    while (length > wanted).any():
        image = gramian @ direction + np.float32(strength) * direction
        step = length / np.maximum((direction * image).sum(axis=0), 1e-30)
        solution, rest = solution + step * direction, rest - step * image
        towards = inverse * rest
        before, length = length, (rest * towards).sum(axis=0)
        direction = towards + (length / np.maximum(before, 1e-30)) * direction
    return solution
