"""Rows read once, kept on the training device and shuffled there each epoch."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from functools import partial

import torch
from torch import Tensor

from nightreel.neural.feed.petastorm import read
from nightreel.neural.feed.snapshot import Array, Columns, Shares, Snapshot, joined, require_all, row_ranges
from nightreel.neural.feed.stream import READERS, ahead, on_device
from nightreel.neural.process import Process

BYTES_A_ROW = 20
"""12 kept, and 8 for the row's place while loading."""
RUN = 64
"""Rows that stay together until they are in a chunk."""
CHUNK_ROWS = 1 << 18
"""Rows shuffled at a time: their columns fit the processor's cache."""


class Resident:
    """One rank's rows in chunks, each a random draw from all of them.

    Loading puts every row in a random place. An epoch draws runs of RUN neighbours at random until a chunk is full, and
    shuffles the chunk, all chunks of an epoch alike. So each epoch's order is uniformly random, since any order of
    randomly placed rows is, while memory is read in runs and in cache, at a multiple of the speed of one permutation
    of all rows (bench/README.md). The price: neighbours share a chunk in every epoch. Where all rows fit one chunk,
    epochs are independent.

    Raises
    ------
    DataError : a file cannot be read, or fewer rows arrive than the footers promise
    """

    def __init__(self, snapshot: Snapshot, shares: Shares, process: Process, *, seed: int, shuffle: bool) -> None:
        self._key = (seed, process.rank)
        self._device = process.device
        self._shuffle = shuffle
        begin, end = shares.bounds(process.rank)
        self._kept = self._empty(end - begin)
        loaded = self._load(snapshot, begin, end)
        require_all(process, loaded, share=end - begin, rows=snapshot.rows, when="loading")

    def chunks(self, number: int) -> Generator[Columns[Tensor], None, None]:
        """The rows of epoch `number`, users and items int64, ratings float32."""
        if not self._shuffle:
            for start in range(0, len(self._kept), CHUNK_ROWS):
                yield _widened(self._kept.cut(start, start + CHUNK_ROWS).each(torch.clone))
            return
        drawn = on_device("epoch", *self._key, number, device=self._device)
        order = torch.empty(0, dtype=torch.int64, device=self._device)
        for chunk in self._drawn(drawn):
            if len(order) != len(chunk):
                order = torch.randperm(len(chunk), generator=drawn, device=self._device)
            yield _widened(_picked(chunk, order))

    def _drawn(self, drawn: torch.Generator) -> Iterator[Columns[Tensor]]:
        """Chunks of whole runs; the rows that make no whole run come with the last chunk."""
        count, runs = len(self._kept) // RUN, CHUNK_ROWS // RUN
        whole = self._kept.cut(0, count * RUN).each(lambda column: column.view(count, RUN))
        left = self._kept.cut(count * RUN, len(self._kept))
        order = torch.randperm(count, generator=drawn, device=self._device)
        for start in range(0, max(count, 1), runs):
            chunk = _picked(whole, order[start : start + runs]).each(torch.flatten)
            yield chunk if start + runs < count else joined([chunk, left])

    def _empty(self, rows: int) -> Columns[Tensor]:
        users, items = (torch.empty(rows, dtype=torch.int32, device=self._device) for _ in range(2))
        return Columns(users, items, torch.empty(rows, dtype=torch.float32, device=self._device))

    def _load(self, snapshot: Snapshot, begin: int, end: int) -> int:
        """Read the rows into their places; returns how many arrived."""
        drawn = on_device("places", *self._key, device=self._device)
        places = torch.randperm(end - begin, generator=drawn, device=self._device) if self._shuffle else None
        filled = 0
        tasks = (partial(read, rows) for rows in row_ranges(snapshot.groups, begin, end))
        with closing(ahead(tasks, threads=READERS, depth=READERS + 1)) as blocks:
            for block in blocks:
                where = slice(filled, filled + len(block))
                self._put(block, where if places is None else places[where])
                filled += len(block)
        return filled

    def _put(self, block: Columns[Array], where: slice | Tensor) -> None:
        kept = (self._kept.users, self._kept.items, self._kept.ratings)
        read = (block.users, block.items, block.ratings)
        for column, values in zip(kept, read, strict=True):
            # A copy: petastorm's arrays may be read-only, which torch has no notion of.
            column[where] = torch.tensor(values, device=self._device)


def _picked(rows: Columns[Tensor], places: Tensor) -> Columns[Tensor]:
    return rows.each(lambda column: column.index_select(0, places))


def _widened(rows: Columns[Tensor]) -> Columns[Tensor]:
    return Columns(rows.users.long(), rows.items.long(), rows.ratings)
