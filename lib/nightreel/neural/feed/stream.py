"""Rows read anew each epoch, in memory that does not grow with the data.

They are shuffled in pieces that fit the processor's cache: dealt at random into bins, and what is in a bin is shuffled
when it leaves (Rao 1961, Sandelius 1962). One permutation of all the rows held would shuffle no better, but read memory
at random and take several times as long.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from functools import partial
from hashlib import blake2b
from itertools import chain, pairwise, repeat
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nightreel.neural.feed.petastorm import read
from nightreel.neural.feed.snapshot import Array, Columns, RowRange, Shares, Snapshot, joined, no_rows, row_ranges
from nightreel.neural.process import Process

BUFFER_ROWS = 1 << 22
"""Rows held to be mixed: 48 MiB."""
READERS = 2
"""Row groups read at once."""
CHUNKS_AHEAD = 2
"""Mixed chunks that may wait for the training step."""
BINS = 16
BLOCK_ROWS = 1 << 17
"""Rows shuffled at a time before they are dealt: their columns fit a core's share of cache."""

_Result = TypeVar("_Result")


class Stream:
    """One rank's rows in chunks: row groups in a random order, their rows mixed in a buffer.

    The ranks share out the epoch's order, so a row group that lies on a border is read by two of them. Held at most:
    BUFFER_ROWS, READERS + 1 row groups, and CHUNKS_AHEAD + 2 chunks of about an eighth of BUFFER_ROWS.
    """

    def __init__(self, snapshot: Snapshot, shares: Shares, process: Process, *, seed: int, shuffle: bool) -> None:
        self._groups = snapshot.groups
        self._bounds = shares.bounds(process.rank)
        self._key = (seed, process.rank)
        self._device = process.device
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
        users, items = (self._moved(column, np.int64) for column in (rows.users, rows.items))
        return Columns(users, items, self._moved(rows.ratings, np.float32))

    def _moved(self, column: Array, dtype: npt.DTypeLike) -> Tensor:
        # numpy casts in this thread alone; torch would take the cores from the training step.
        tensor = torch.from_numpy(column.astype(dtype))
        if self._device.type == "cuda":
            return tensor.pin_memory().to(self._device, non_blocking=True)
        return tensor.to(self._device)


def shuffled_blocks(rows: Columns[Array], generator: np.random.Generator) -> list[Columns[Array]]:
    """The rows in blocks of BLOCK_ROWS, each shuffled in itself: ready to be dealt by cutting."""
    starts = range(0, len(rows), BLOCK_ROWS)
    return [_shuffled(rows.cut(start, start + BLOCK_ROWS), generator) for start in starts]


def mixed(
    blocks: Iterable[Columns[Array]], *, buffer_rows: int, generator: np.random.Generator
) -> Iterator[Columns[Array]]:
    """All rows of the blocks in shuffled chunks, each with rows of many blocks.

    When more than buffer_rows are held, the bin that has waited longest leaves. A row so waits until up to BINS bins
    have left, and is mixed with rows of blocks long before and after its own.

    Parameters
    ----------
    blocks : each shuffled; besides buffer_rows only one of them is held
    """
    bins: deque[list[Columns[Array]]] = deque([] for _ in range(BINS))
    held = 0
    for block in blocks:
        _deal(block, bins)
        held += len(block)
        while held > buffer_rows:
            chunk = _leaving(bins, generator)
            held -= len(chunk)
            yield chunk
    for _ in range(BINS):
        yield _leaving(bins, generator)


def _deal(block: Columns[Array], bins: deque[list[Columns[Array]]]) -> None:
    bounds = [len(block) * number // BINS for number in range(BINS + 1)]
    for held, (start, stop) in zip(bins, pairwise(bounds), strict=True):
        held.append(block.cut(start, stop))


def _leaving(bins: deque[list[Columns[Array]]], generator: np.random.Generator) -> Columns[Array]:
    """The rows of the first bin, which is empty and last from now on."""
    bins.append([])
    return _shuffled(joined([no_rows(), *bins.popleft()]), generator)


def _shuffled(rows: Columns[Array], generator: np.random.Generator) -> Columns[Array]:
    order = generator.permutation(len(rows))
    return rows.each(lambda column: column.take(order))


def on_device(*key: int | str, device: torch.device) -> torch.Generator:
    """A generator of its own for every key; the same key gives the same numbers on the same kind of device."""
    return torch.Generator(device=device).manual_seed(_number(key))


def in_numpy(*key: int | str) -> np.random.Generator:
    """The same for numpy, which permutes in the calling thread alone, where torch keeps all cores busy."""
    return np.random.Generator(np.random.SFC64(_number(key)))


def _number(key: tuple[int | str, ...]) -> int:
    return int.from_bytes(blake2b(repr(key).encode(), digest_size=8).digest(), "big")


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
