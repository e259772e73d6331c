"""Rows read anew each epoch, in memory that does not grow with the data."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from functools import partial
from itertools import chain, repeat
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nightreel.neural.feed.batch import Array, Columns
from nightreel.neural.feed.petastorm import read
from nightreel.neural.feed.shuffle import in_numpy, mixed, shuffled_blocks
from nightreel.neural.feed.snapshot import RowRange, Shares, Snapshot, row_ranges
from nightreel.neural.process import Ranks

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


BUFFER_ROWS = 1 << 22
"""Rows held to be mixed: 48 MiB."""
READERS = 2
"""Row groups read at once."""
CHUNKS_AHEAD = 2
"""Mixed chunks that may wait for the training step."""


class Stream:
    """One rank's rows in chunks: row groups in a random order, their rows mixed in a buffer.

    The ranks share out the epoch's order, so a row group that lies on a border is read by two of them. Held at most:
    BUFFER_ROWS, READERS + 1 row groups, and CHUNKS_AHEAD + 2 chunks of about an eighth of BUFFER_ROWS.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        shares: Shares,
        *,
        ranks: Ranks,
        seed: int,
        shuffle: bool,
    ) -> None:
        self._groups = snapshot.groups
        self._bounds = shares.bounds(ranks.rank)
        self._key = (seed, ranks.rank)
        self._device = ranks.device
        self._seed = seed
        self._shuffle = shuffle

    def chunks(self, number: int) -> Generator[Columns[Tensor], None, None]:
        """The rows of epoch `number`, users and items int64, ratings float32."""
        tasks = (partial(self._blocks, rows, number, place) for place, rows in enumerate(self._ranges(number)))
        with closing(ahead(tasks, threads=READERS, depth=READERS + 1)) as read_ahead:
            blocks = chain.from_iterable(read_ahead)
            chunks = self._mixed(blocks, number) if self._shuffle else blocks
            with closing(in_background(map(self._on_device, chunks), depth=CHUNKS_AHEAD + 1)) as produced:
                yield from produced

    def _ranges(self, number: int) -> list[RowRange]:
        if not self._shuffle:
            return row_ranges(self._groups, *self._bounds)
        order = in_numpy("groups", self._seed, number).permutation(len(self._groups))
        return row_ranges((self._groups[place] for place in order), *self._bounds)

    def _blocks(self, rows: RowRange, number: int, place: int) -> list[Columns[Array]]:
        if not self._shuffle:
            return [read(rows)]
        return shuffled_blocks(read(rows), in_numpy("blocks", *self._key, number, place))

    def _mixed(self, blocks: Iterator[Columns[Array]], number: int) -> Iterator[Columns[Array]]:
        return mixed(blocks, buffer_rows=BUFFER_ROWS, generator=in_numpy("chunks", *self._key, number))

    def _on_device(self, rows: Columns[Array]) -> Columns[Tensor]:
        return Columns(
            self._moved(rows.users, np.int64), self._moved(rows.items, np.int64), self._moved(rows.ratings, np.float32)
        )

    def _moved(self, column: Array, dtype: npt.DTypeLike) -> Tensor:
        # numpy casts in this thread alone; torch would take the cores from the training step.
        tensor = torch.from_numpy(column.astype(dtype))
        if self._device.type == "cuda":
            return tensor.pin_memory().to(self._device, non_blocking=True)
        return tensor.to(self._device)
