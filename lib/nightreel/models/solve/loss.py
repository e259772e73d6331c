"""What vectors leave of the ratings."""

from __future__ import annotations

from typing import NamedTuple


class Loss(NamedTuple):
    """Two parts of an objective, of some rows: the squared residuals of their entries, and the penalty."""

    squares: float
    penalty: float
