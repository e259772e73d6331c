"""A stream's lines, taken one by one and given back where they turn out to belong to something else."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO


@dataclass(frozen=True, slots=True)
class Line:
    """A line with its line feed, if it has one; `position` is the offset of its first byte."""

    position: int
    data: bytes


class Lines:
    """The lines of an unpacked file. One longer than `max_bytes` comes cut, but still longer than that."""

    def __init__(self, stream: IO[bytes], *, max_bytes: int) -> None:
        self._stream = stream
        self._max_bytes = max_bytes
        self._position = 0
        self._given_back: deque[Line] = deque()

    def take(self) -> Line | None:
        """The next line, None after the last."""
        if self._given_back:
            return self._given_back.popleft()
        line = Line(self._position, self._stream.readline(self._max_bytes + 1))
        self._position += len(line.data)
        if len(line.data) > self._max_bytes and not line.data.endswith(b"\n"):
            self._skip_rest()
        return line if line.data else None

    def give_back(self, lines: Sequence[Line]) -> None:
        """The lines taken last, in their order, to be taken again."""
        self._given_back.extendleft(reversed(lines))

    def _skip_rest(self) -> None:
        while data := self._stream.readline(self._max_bytes + 1):
            self._position += len(data)
            if data.endswith(b"\n"):
                return
