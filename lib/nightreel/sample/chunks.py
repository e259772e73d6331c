"""Work in pieces that several processes make and one writes, in order."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import pairwise
from multiprocessing import get_context
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from nightreel.errors import NightreelError

ROWS = 200_000
"""Of a piece, about: what a process holds at a time."""
_AHEAD = 2
"""Pieces a process may be ahead of the writer: no more wait in memory."""

Piece = TypeVar("Piece")

_make: Callable[[int], Any] | None = None
"""In a worker process: what makes its pieces."""


def cut(rows: NDArray[np.int64]) -> list[range]:
    """Neighbours with about ROWS rows together, given how many each has."""
    number = (np.cumsum(rows) - rows) // ROWS
    starts = np.flatnonzero(np.diff(number, prepend=-1)).tolist()
    return [range(start, end) for start, end in pairwise([*starts, rows.size])]


def in_order(make: Callable[[int], Piece], count: int, *, processes: int) -> Iterator[Piece]:
    """make(0) .. make(count - 1), of which several processes each make some.

    `make` is sent to every process once, and so has to be picklable. What a piece holds may depend on nothing but
    its number: then it does not matter who makes it.

    Raises
    ------
    NightreelError : a process was killed, as the system does when memory runs out
    """
    if processes == 1 or count == 1:
        yield from map(make, range(count))
        return
    # Forking a process that has threads, as numpy's may be, can hang: each worker starts anew.
    pool = ProcessPoolExecutor(min(processes, count), get_context("spawn"), _start, (make,))
    waiting: deque[Future[Piece]] = deque()
    try:
        for number in range(count):
            waiting.append(pool.submit(_piece, number))
            if len(waiting) > _AHEAD * processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise NightreelError(
            f"one of {processes} processes was killed, perhaps for want of memory; use fewer"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _start(make: Callable[[int], Any]) -> None:
    global _make
    _make = make
    # An interrupt reaches the whole group; the process that writes is the one to answer it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _piece(number: int) -> Any:
    if _make is None:
        raise RuntimeError("a process that was not told what to make")
    return _make(number)
