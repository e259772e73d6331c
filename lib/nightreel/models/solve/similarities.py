"""Similarities between the rows of a sparse matrix: over the columns that both have, and cosines over all.

Imported where it is called, since loading numba takes a second.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nightreel.models.engine.catalogue import Floats, Ints
from nightreel.models.engine.compiled import compiled
from nightreel.models.engine.row_blocks import WHOLE, Share, by_blocks
from nightreel.models.forms.arrays import Lists, Numbers, strongest

MEASURES = ("cosine", "msd", "pearson", "pearson_baseline")


def similarities(
    rows: Lists, columns: Lists, *, measure: str, min_support: int, shrinkage: float, kept: int,
    row_bias: Numbers, column_bias: Numbers, mean: float, share: Share = WHOLE,
) -> Lists:  # fmt: skip
    """For each row the rows it is most similar to, the strongest first; only similarities above 0.

    With n columns that both rows have, x and y their values there (Surprise's definitions):

    - cosine: sum(x y) / sqrt(sum(x^2) sum(y^2))
    - msd: 1 / (1 + sum((x - y)^2) / n)
    - pearson: the correlation of x and y over those columns
    - pearson_baseline: the cosine of x and y less mean + row bias + column bias, times (n - 1) / (n - 1 + shrinkage)

    Parameters
    ----------
    rows, columns : the matrix by rows and by columns
    min_support : pairs of rows with fewer common columns have none
    kept : similarities a row; 0: all
    share : whose rows are computed
    """
    n = len(rows.starts) - 1
    if measure == "pearson_baseline":
        rows = rows._replace(values=_centred(rows, mean, row_bias, column_bias))
        columns = columns._replace(values=_centred(columns, mean, column_bias, row_bias))

    def weights(asked: Ints) -> Floats:
        tile = np.zeros((len(asked), n), np.float32)
        _similarities(*rows, *columns, MEASURES.index(measure), min_support, shrinkage, asked, tile)
        return np.maximum(tile, np.float32(0.0))

    return by_blocks(share, n, weights, kept=kept)


def deviations(rows: Lists, columns: Lists, *, kept: int, share: Share = WHOLE) -> Lists:
    """For each row the mean of (its value - the other's) over common columns, for those with the most of these first.

    Parameters
    ----------
    kept : deviations a row; 0: all
    share : whose rows are computed
    """
    n = len(rows.starts) - 1

    def mean_deviations(asked: Ints) -> Lists:
        support = np.zeros((len(asked), n), np.float32)
        total = np.zeros_like(support)
        _deviations(*rows, *columns, asked, support, total)
        chosen = strongest(support, kept or n)
        owners = np.repeat(np.arange(len(support)), chosen.counts)
        return chosen._replace(values=total[owners, chosen.ids] / support[owners, chosen.ids])

    return by_blocks(share, n, mean_deviations)


@compiled
def _deviations(
    starts: Any, ids: Any, values: Any, column_starts: Any, column_ids: Any, column_values: Any, asked: Any,
    support: Any, total: Any,
) -> None:  # fmt: skip
    for place in range(support.shape[0]):
        row = asked[place]
        for entry in range(starts[row], starts[row + 1]):
            for at in range(column_starts[ids[entry]], column_starts[ids[entry] + 1]):
                other = column_ids[at]
                if other != row:
                    support[place, other] += 1.0
                    total[place, other] += values[entry] - column_values[at]


def cosines(rows: Lists, n_columns: int, *, kept: int, shrink: float = 0.0, share: Share = WHOLE) -> Lists:
    """For each row the rows with the highest sum(x y) / (|x| |y| + shrink) over all columns, above 0.

    Parameters
    ----------
    kept : cosines a row
    share : whose rows are computed
    """
    from scipy.sparse import csr_matrix

    matrix = csr_matrix((rows.values, rows.ids, rows.starts), (len(rows.counts), n_columns))
    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1))).ravel().astype(np.float32)
    columns = matrix.T.tocsc()

    def weights(asked: Ints) -> Floats:
        products = (matrix[asked] @ columns).toarray()
        products[np.arange(len(asked)), asked] = 0.0
        divisors = lengths[asked, None] * lengths + np.float32(shrink)
        found: Floats = np.divide(products, divisors, out=np.zeros_like(products), where=products > 0)
        return found

    return by_blocks(share, len(lengths), weights, kept=kept)


def _centred(lists: Lists, mean: float, own_bias: Numbers, other_bias: Numbers) -> Floats:
    owners = np.repeat(np.arange(len(lists.starts) - 1), lists.counts)
    centred: Floats = (lists.values - (mean + own_bias[owners] + other_bias[lists.ids])).astype(np.float32)
    return centred


@compiled
def _similarities(
    starts: Any, ids: Any, values: Any, column_starts: Any, column_ids: Any, column_values: Any, measure: int,
    min_support: int, shrinkage: float, asked: Any, tile: Any,
) -> None:  # fmt: skip
    n = tile.shape[1]
    count, xy, xx, yy = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n)
    x_sum, y_sum = np.zeros(n), np.zeros(n)
    for place in range(tile.shape[0]):
        row = asked[place]
        for sums in (count, xy, xx, yy, x_sum, y_sum):
            sums[:] = 0.0
        for entry in range(starts[row], starts[row + 1]):
            x = values[entry]
            for at in range(column_starts[ids[entry]], column_starts[ids[entry] + 1]):
                other, y = column_ids[at], column_values[at]
                count[other] += 1.0
                xy[other] += x * y
                xx[other] += x * x
                yy[other] += y * y
                if measure == 2:
                    x_sum[other] += x
                    y_sum[other] += y
        for other in range(n):
            common = count[other]
            if other == row or common == 0 or common < min_support:
                continue
            if measure == 1:
                tile[place, other] = 1.0 / (1.0 + (xx[other] + yy[other] - 2.0 * xy[other]) / common)
                continue
            top, below = xy[other], xx[other] * yy[other]
            if measure == 2:
                top = common * xy[other] - x_sum[other] * y_sum[other]
                x_spread = common * xx[other] - x_sum[other] ** 2
                y_spread = common * yy[other] - y_sum[other] ** 2
                # Of equal values rounding leaves a spread of some 1e-16 of the squares.
                flat = x_spread <= 1e-9 * common * xx[other] or y_spread <= 1e-9 * common * yy[other]
                below = 0.0 if flat else x_spread * y_spread
            if below > 0.0:
                tile[place, other] = top / np.sqrt(below)
            if measure == 3:
                tile[place, other] *= (common - 1.0) / (common - 1.0 + shrinkage) if common > 1.0 else 0.0
