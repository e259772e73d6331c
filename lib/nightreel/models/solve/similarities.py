"""Similarities between the rows of a sparse matrix over the columns that both have, one row at a time.

Imported where it is called, since loading numba takes a second.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nightreel.models.engine.catalogue import Floats
from nightreel.models.engine.compiled import compiled
from nightreel.models.forms.arrays import Lists, Numbers, stacked, strongest

MEASURES = ("cosine", "msd", "pearson", "pearson_baseline")
_ROWS_A_BLOCK = 256
_BLOCK_CELLS = 1 << 24


def similarities(
    rows: Lists, columns: Lists, *, measure: str, min_support: int, shrinkage: float, kept: int,
    row_bias: Numbers, column_bias: Numbers, mean: float,
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
    """
    n = len(rows.starts) - 1
    if measure == "pearson_baseline":
        rows = rows._replace(values=_centred(rows, mean, row_bias, column_bias))
        columns = columns._replace(values=_centred(columns, mean, column_bias, row_bias))
    block = max(1, min(_ROWS_A_BLOCK, _BLOCK_CELLS // max(n, 1)))
    found: list[Lists] = []
    for first in range(0, n, block):
        tile = np.zeros((min(block, n - first), n), np.float32)
        _similarities(*rows, *columns, MEASURES.index(measure), min_support, shrinkage, first, tile)
        found.append(strongest(np.maximum(tile, 0.0), kept or n))
    return stacked(found)


def deviations(rows: Lists, columns: Lists, *, kept: int) -> Lists:
    """For each row the mean of (its value - the other's) over common columns, for those with the most of these first.

    Parameters
    ----------
    kept : deviations a row; 0: all
    """
    n = len(rows.starts) - 1
    block = max(1, min(_ROWS_A_BLOCK, _BLOCK_CELLS // max(n, 1)))
    found: list[Lists] = []
    for first in range(0, n, block):
        support = np.zeros((min(block, n - first), n), np.float32)
        total = np.zeros_like(support)
        _deviations(*rows, *columns, first, support, total)
        chosen = strongest(support, kept or n)
        owners = np.repeat(np.arange(len(support)), chosen.counts)
        found.append(chosen._replace(values=total[owners, chosen.ids] / support[owners, chosen.ids]))
    return stacked(found)


@compiled
def _deviations(
    starts: Any, ids: Any, values: Any, column_starts: Any, column_ids: Any, column_values: Any, first: int,
    support: Any, total: Any,
) -> None:  # fmt: skip
    for place in range(support.shape[0]):
        row = first + place
        for entry in range(starts[row], starts[row + 1]):
            for at in range(column_starts[ids[entry]], column_starts[ids[entry] + 1]):
                other = column_ids[at]
                if other != row:
                    support[place, other] += 1.0
                    total[place, other] += values[entry] - column_values[at]


def _centred(lists: Lists, mean: float, own_bias: Numbers, other_bias: Numbers) -> Floats:
    owners = np.repeat(np.arange(len(lists.starts) - 1), lists.counts)
    centred: Floats = (lists.values - (mean + own_bias[owners] + other_bias[lists.ids])).astype(np.float32)
    return centred


@compiled
def _similarities(
    starts: Any, ids: Any, values: Any, column_starts: Any, column_ids: Any, column_values: Any, measure: int,
    min_support: int, shrinkage: float, first: int, tile: Any,
) -> None:  # fmt: skip
    n = tile.shape[1]
    count, xy, xx, yy = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n)
    x_sum, y_sum = np.zeros(n), np.zeros(n)
    for place in range(tile.shape[0]):
        row = first + place
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
