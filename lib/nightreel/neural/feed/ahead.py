"""Work done ahead of its use, in threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from functools import partial
from itertools import repeat
from typing import TypeVar

_Result = TypeVar("_Result")


def ahead(tasks: Iterable[Callable[[], _Result]], *, threads: int, depth: int) -> Generator[_Result, None, None]:
    """What the tasks return, in their order, while up to depth - 1 of those that follow are under way or done.

    A task's exception is raised in the place of its result. Closing the iterator waits for the tasks under way.
    """
    waiting: deque[Future[_Result]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="nightreel-feed")
    try:
        for task in tasks:
            waiting.append(pool.submit(task))
            if len(waiting) == depth:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def in_background(items: Iterator[_Result], *, depth: int) -> Generator[_Result, None, None]:
    """The same items, up to depth - 1 of them produced ahead in one thread."""
    with closing(ahead(repeat(partial(next, items, None)), threads=1, depth=depth)) as produced:
        for item in produced:
            if item is None:
                return
            yield item
