"""A total shared out in whole numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def allot(weights: NDArray[np.float64], *, total: int, low: int = 1, high: int) -> NDArray[np.int64]:
    """Whole numbers from `low` to `high`, in proportion to the weights as far as that allows, whose sum is the total.

    The caller sees to it that low * n <= total <= high * n.
    """
    least, most = 0.0, float(total) / float(weights.min())
    for _ in range(200):
        middle = (least + most) / 2
        least, most = (least, middle) if np.clip(middle * weights, low, high).sum() > total else (middle, most)
    shares = np.clip(least * weights, low, high)
    counts = np.floor(shares).astype(np.int64)
    by_remainder = np.argsort(counts - shares, kind="stable")
    while (missing := total - int(counts.sum())) > 0:
        counts[by_remainder[counts[by_remainder] < high][:missing]] += 1
    return counts
