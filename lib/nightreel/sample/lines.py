"""Lines of text from columns: put together from pieces of fixed width, padded with zero bytes that go at the end."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Text = NDArray[np.bytes_]


def joined(*columns: Text) -> bytes:
    """The columns beside one another, a line a row; what ends a field or a line is part of the columns."""
    line = np.dtype([(f"f{number}", column.dtype) for number, column in enumerate(columns)])
    lines = np.empty(columns[0].size, dtype=line)
    for number, column in enumerate(columns):
        lines[f"f{number}"] = column
    return lines.tobytes().translate(None, b"\0")


def each(values: NDArray[np.int64] | NDArray[np.float64], *, end: str) -> Text:
    """The text of every value: a table to pick from by position."""
    return np.array([f"{value}{end}" for value in values.tolist()], dtype=np.bytes_)


class Seconds:
    """Times since 1970 as text, from two tables: of what they share in tens of thousands, and of the rest."""

    _REST = 10_000

    def __init__(self, first: int, last: int, *, end: str) -> None:
        self._first = first // self._REST
        self._most = each(np.arange(self._first, last // self._REST + 1), end="")
        self._rest = np.array([f"{rest:04d}{end}" for rest in range(self._REST)], dtype=np.bytes_)

    def text(self, times: NDArray[np.int64]) -> tuple[Text, Text]:
        """Two columns for `joined`."""
        most, rest = np.divmod(times, self._REST)
        return self._most[most - self._first], self._rest[rest]
