"""A table of the strongest weights between rows, made block by block, by one task or by several."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from nightreel.models.engine.catalogue import Floats, Ints
from nightreel.models.forms.arrays import Lists, stacked, strongest

_BLOCK_CELLS = 1 << 24
_MOST_ROWS = 512


class Share(NamedTuple):
    """The rows that one of `of` tasks computes: every `of`-th, from `place` on."""

    place: int = 0
    of: int = 1

    def rows(self, n: int) -> Ints:
        return np.arange(self.place, n, self.of)


WHOLE = Share()


def by_blocks(share: Share, n: int, weights_of: Callable[[Ints], Floats | Lists], *, kept: int = 0) -> Lists:
    """(n rows,): the weights of the share's rows; the others have none.

    Parameters
    ----------
    weights_of : for (block,) row numbers their weights, (block, n), of which the strongest are kept, or those kept
    kept : weights a row; 0: all
    """
    rows = share.rows(n)
    step = max(1, min(_MOST_ROWS, _BLOCK_CELLS // max(n, 1)))
    blocks = list[Lists]()
    for first in range(0, len(rows), step):
        found = weights_of(rows[first : first + step])
        blocks.append(found if isinstance(found, Lists) else strongest(found, kept or n))
    counts = np.zeros(n, np.int64)
    whole = stacked(blocks) if blocks else Lists(np.zeros(1, np.int64), np.empty(0, np.int32), np.empty(0, np.float32))
    counts[rows] = whole.counts
    return whole._replace(starts=np.concatenate([[0], np.cumsum(counts)]))
