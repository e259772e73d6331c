"""One rank's rows in shuffled chunks: streamed from the files each epoch, or resident in the device's memory.

Both shuffle in pieces that fit the processor's cache. One permutation of all the rows held would shuffle no better, but
read memory at random and take several times as long (bench/README.md).
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
from nightreel.neural.feed.snapshot import (
    Array,
    Columns,
    RowGroup,
    RowRange,
    Shares,
    joined,
    no_rows,
    require_all,
    row_ranges,
)
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

BYTES_A_ROW = 20
"""Of a resident feed: 12 kept, and 8 for the row's place while loading."""
RUN = 64
"""Resident rows that stay together until they are in a chunk."""
CHUNK_ROWS = 1 << 18
"""Resident rows shuffled at a time: their columns fit the processor's cache."""

_Result = TypeVar("_Result")


class Stream:
    """Row groups in a random order, their rows mixed in a buffer, in memory that does not grow with the data.

    Rows are dealt at random into bins, and a bin is shuffled when it leaves (Rao 1961, Sandelius 1962). The ranks share
    out the epoch's order, so a row group that lies on a border is read by two of them. Held at most: BUFFER_ROWS,
    READERS + 1 row groups, and CHUNKS_AHEAD + 2 chunks of about an eighth of BUFFER_ROWS.
    """

    def __init__(self, groups: list[RowGroup], shares: Shares, process: Process, *, seed: int, shuffle: bool) -> None:
        self._groups, self._bounds = groups, shares.bounds(process.rank)
        self._seed, self._rank, self._device, self._shuffle = seed, process.rank, process.device, shuffle

    def chunks(self, number: int) -> Generator[Columns[Tensor], None, None]:
        """The rows of epoch `number`, users and items int64, ratings float32."""
        tasks = (partial(self._blocks, rows, number, place) for place, rows in enumerate(self._ranges(number)))
        with closing(ahead(tasks, threads=READERS, depth=READERS + 1)) as read_ahead:
            chunks: Iterator[Columns[Array]] = chain.from_iterable(read_ahead)
            if self._shuffle:
                drawn = in_numpy("chunks", self._seed, self._rank, number)
                chunks = mixed(chunks, buffer_rows=BUFFER_ROWS, generator=drawn)
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
        return shuffled_blocks(read(rows), in_numpy("blocks", self._seed, self._rank, number, place))

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
        bounds = [len(block) * number // BINS for number in range(BINS + 1)]
        for dealt, (start, stop) in zip(bins, pairwise(bounds), strict=True):
            dealt.append(block.cut(start, stop))
        held += len(block)
        while held > buffer_rows:
            chunk = _shuffled(joined([no_rows(), *bins.popleft()]), generator)
            bins.append([])
            held -= len(chunk)
            yield chunk
    while bins:
        yield _shuffled(joined([no_rows(), *bins.popleft()]), generator)


def _shuffled(rows: Columns[Array], generator: np.random.Generator) -> Columns[Array]:
    order = generator.permutation(len(rows))
    return rows.each(lambda column: column.take(order))


class Resident:
    """Rows read once and kept on the device, each chunk a random draw from all of them.

    Loading puts every row in a random place. An epoch draws runs of RUN neighbours at random until a chunk is full, and
    shuffles the chunk, all chunks of an epoch alike. So each epoch's order is uniformly random, since any order of
    randomly placed rows is, while memory is read in runs and in cache. The price: neighbours share a chunk in every
    epoch. Where all rows fit one chunk, epochs are independent.
    """

    def __init__(self, groups: list[RowGroup], shares: Shares, process: Process, *, seed: int, shuffle: bool) -> None:
        self._seed, self._rank, self._device, self._shuffle = seed, process.rank, process.device, shuffle
        begin, end = shares.bounds(process.rank)
        kinds = (torch.int32, torch.int32, torch.float32)
        self._kept = Columns(*(torch.empty(end - begin, dtype=kind, device=process.device) for kind in kinds))
        loaded = self._load(row_ranges(groups, begin, end))
        require_all(process, loaded, share=end - begin, rows=shares.rows, when="loading")

    def chunks(self, number: int) -> Generator[Columns[Tensor], None, None]:
        """The rows of epoch `number`, users and items int64, ratings float32."""
        for chunk in self._drawn(number) if self._shuffle else self._in_order():
            yield Columns(chunk.users.long(), chunk.items.long(), chunk.ratings)

    def _in_order(self) -> Iterator[Columns[Tensor]]:
        for start in range(0, len(self._kept), CHUNK_ROWS):
            yield self._kept.cut(start, start + CHUNK_ROWS).each(torch.clone)

    def _drawn(self, number: int) -> Iterator[Columns[Tensor]]:
        """Chunks of whole runs, shuffled; the rows that make no whole run come with the last chunk."""
        drawn = self._generator("epoch", number)
        count, runs = len(self._kept) // RUN, CHUNK_ROWS // RUN
        whole = self._kept.cut(0, count * RUN).each(lambda column: column.view(count, RUN))
        left = self._kept.cut(count * RUN, len(self._kept))
        order = torch.randperm(count, generator=drawn, device=self._device)
        within = torch.empty(0, dtype=torch.int64, device=self._device)
        for start in range(0, max(count, 1), runs):
            chunk = _picked(whole, order[start : start + runs]).each(torch.flatten)
            if start + runs >= count:
                chunk = joined([chunk, left])
            if len(within) != len(chunk):
                within = torch.randperm(len(chunk), generator=drawn, device=self._device)
            yield _picked(chunk, within)

    def _load(self, ranges: Iterable[RowRange]) -> int:
        """Read the rows into their places; returns how many arrived."""
        kept = (self._kept.users, self._kept.items, self._kept.ratings)
        places = None
        if self._shuffle:
            places = torch.randperm(len(self._kept), generator=self._generator("places"), device=self._device)
        filled = 0
        tasks = (partial(read, rows) for rows in ranges)
        with closing(ahead(tasks, threads=READERS, depth=READERS + 1)) as blocks:
            for block in blocks:
                where = slice(filled, filled + len(block))
                for column, values in zip(kept, (block.users, block.items, block.ratings), strict=True):
                    # A copy: petastorm's arrays may be read-only, which torch has no notion of.
                    column[where if places is None else places[where]] = torch.tensor(values, device=self._device)
                filled += len(block)
        return filled

    def _generator(self, purpose: str, *epoch: int) -> torch.Generator:
        number = _number(purpose, self._seed, self._rank, *epoch)
        return torch.Generator(device=self._device).manual_seed(number)


def _picked(rows: Columns[Tensor], places: Tensor) -> Columns[Tensor]:
    return rows.each(lambda column: column.index_select(0, places))


def in_numpy(*key: int | str) -> np.random.Generator:
    """A generator of its own for every key. numpy permutes in the calling thread alone; torch keeps all cores busy."""
    return np.random.Generator(np.random.SFC64(_number(*key)))


def _number(*key: int | str) -> int:
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
