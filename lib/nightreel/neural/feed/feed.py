"""Epochs of exactly so many batches, their rows counted."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args
from weakref import WeakSet

import psutil  # type: ignore[import-untyped]
import torch
from torch import Tensor

from nightreel.errors import ConfigurationError, DataError
from nightreel.neural.feed.chunks import BYTES_A_ROW, Resident, Stream
from nightreel.neural.feed.snapshot import Columns, Shares, joined, require_all, row_groups
from nightreel.neural.process import Process

Mode: TypeAlias = Literal["auto", "stream", "resident"]

MEMORY_SHARE = 0.25
"""How much of the memory now free `auto` gives to a resident feed."""


@dataclass(frozen=True)
class Batch(Columns[Tensor]):
    """This rank's rows of one step.

    users : (n,) int64, user_idx
    items : (n,) int64, item_idx
    ratings : (n,) float32
    weight : world_size * n / rows of the step over all ranks. It multiplies the batch's mean loss, so that the average
        of the gradients over the ranks is the gradient of the mean loss over all rows of the step. 0.0 where n is 0.
    """

    weight: float


class Feed:
    """One rank's share of a snapshot, in epochs.

    rows : of the snapshot, over all ranks
    steps : batches an epoch, the same on every rank
    """

    def __init__(self, source: Stream | Resident, shares: Shares, process: Process) -> None:
        self.rows = shares.rows
        self.steps = shares.steps
        self._source: Stream | Resident | None = source
        self._shares = shares
        self._process = process
        self._sizes = shares.sizes(process.rank)
        self._under_way: WeakSet[Generator[Batch, None, None]] = WeakSet()

    def epoch(self, number: int) -> Iterator[Batch]:
        """Exactly `steps` batches; their rows and order depend on seed, number, rank and world size only.

        Every rank has to exhaust its iterator: after the last batch the ranks count their rows together.

        Raises DataError where the rows over all ranks are not the snapshot's.
        """
        if self._source is None:
            raise RuntimeError("the feed is closed")
        epoch = self._batches(self._source, number)
        self._under_way.add(epoch)
        return epoch

    def close(self) -> None:
        """End threads and readers; the feed gives no more epochs."""
        for epoch in list(self._under_way):
            epoch.close()
        self._source = None

    def _batches(self, source: Stream | Resident, number: int) -> Generator[Batch, None, None]:
        got = 0
        with closing(source.chunks(number)) as chunks:
            for step, rows in enumerate(cut(chunks, self._sizes, device=self._process.device)):
                got += len(rows)
                yield Batch(rows.users, rows.items, rows.ratings, self._shares.weight(step, len(rows)))
        require_all(self._process, got, share=sum(self._sizes), rows=self.rows, when=f"epoch {number}")


def cut(chunks: Iterator[Columns[Tensor]], sizes: Sequence[int], *, device: torch.device) -> Iterator[Columns[Tensor]]:
    """The chunks' rows in as many pieces as there are sizes, each of its size.

    Where rows run out, pieces are short or empty; the last piece takes whatever is left. So a count of the pieces' rows
    shows whether all arrived, at the end of the epoch, when every rank counts.
    """
    last = len(sizes) - 1
    step = 0
    begun: list[Columns[Tensor]] = []
    missing = sizes[step]
    for chunk in chunks:
        start = 0
        while step < last and len(chunk) - start >= missing:
            yield joined([*begun, chunk.cut(start, start + missing)])
            start, begun, step = start + missing, [], step + 1
            missing = sizes[step]
        if start < len(chunk):
            begun.append(chunk.cut(start, len(chunk)))
            missing -= len(chunk) - start
    index = torch.empty(0, dtype=torch.int64, device=device)
    nothing = Columns(index, index, torch.empty(0, dtype=torch.float32, device=device))
    for _ in range(step, len(sizes)):
        yield joined([*begun, nothing])
        begun = []


def open_feed(
    files: Sequence[str], process: Process, *, mode: Mode, batch_size: int, seed: int, shuffle: bool = True
) -> Feed:
    """One rank's feed of the rows of Parquet files; to be called on every rank.

    Parameters
    ----------
    files : of the snapshot, the same on every rank: absolute paths, or URIs with special characters escaped
    mode : `stream` reads the files anew each epoch, in memory that does not grow with the data; `resident` reads them
        once into the device's memory; `auto` is resident where `BYTES_A_ROW` times the rows fit MEMORY_SHARE of the
        memory that is free: on a GPU this rank's rows and the GPU's memory, else all rows and the host's memory, since
        all ranks may run on one host. If it does not fit on one rank, all stream.
    batch_size : rows of a step over all ranks, at most; steps are cut to nearly equal size
    seed : same seed, epoch, rank, world size, mode and kind of device: same batches
    shuffle : False gives the rows in the order of the files' paths

    Raises
    ------
    ConfigurationError : mode or batch_size is not allowed
    DataError : a file cannot be read, lacks a column, holds null; there are no rows; the ranks see different rows

    petastorm is imported with the first rows read, which may raise ConfigurationError: see feed/petastorm.py.
    """
    if mode not in get_args(Mode):
        raise ConfigurationError(f"mode {mode!r}: must be one of {', '.join(get_args(Mode))}")
    if batch_size < 1:
        raise ConfigurationError(f"batch_size {batch_size}: must be 1 or more")
    groups = row_groups(files)
    shares = Shares(sum(group.rows for group in groups), batch_size, process.world_size)
    source = Resident if _resident(mode, shares, process) else Stream
    return Feed(source(groups, shares, process, seed=seed, shuffle=shuffle), shares, process)


def every_row(files: Sequence[str]) -> Iterator[Batch]:
    """All rows of the files, in order and on the CPU, whatever the rank."""
    alone = Process(rank=0, world_size=1, device=torch.device("cpu"))
    with closing(open_feed(files, alone, mode="stream", batch_size=1 << 20, seed=0, shuffle=False)) as feed:
        yield from feed.epoch(0)


def _resident(mode: Mode, shares: Shares, process: Process) -> bool:
    """The same on every rank; raises DataError where the ranks see different rows."""
    wanted = mode == "resident" or (mode == "auto" and _fits(shares, process))
    everywhere, fewest, most_negated = map(int, process.minimum(wanted, shares.rows, -shares.rows))
    if fewest != -most_negated:
        raise DataError(f"the ranks see from {fewest:,} to {-most_negated:,} rows; give all of them the same files")
    return bool(everywhere)


def _fits(shares: Shares, process: Process) -> bool:
    if process.device.type == "cuda":
        begin, end = shares.bounds(process.rank)
        free, _ = torch.cuda.mem_get_info(process.device)
        return (end - begin) * BYTES_A_ROW <= MEMORY_SHARE * free
    return bool(shares.rows * BYTES_A_ROW <= MEMORY_SHARE * psutil.virtual_memory().available)
