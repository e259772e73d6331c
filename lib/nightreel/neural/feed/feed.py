"""Epochs of exactly so many batches, their rows counted."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from typing import Literal, Protocol, TypeAlias, get_args
from weakref import WeakSet

import psutil  # type: ignore[import-untyped]
import torch
from torch import Tensor

from nightreel.errors import ConfigurationError, DataError
from nightreel.neural.feed.batch import Batch, Columns, Feed, joined_tensors
from nightreel.neural.feed.petastorm import install
from nightreel.neural.feed.resident import BYTES_A_ROW, Resident
from nightreel.neural.feed.snapshot import Shares, Snapshot, read_snapshot
from nightreel.neural.feed.stream import Stream
from nightreel.neural.process import Ranks


class Source(Protocol):
    """Where one rank's rows come from."""

    def chunks(self, number: int) -> Generator[Columns[Tensor], None, None]:
        """The rows of epoch `number` in chunks of any size: users and items int64, ratings float32, on the device."""


class EpochFeed:
    """Batches out of a source's chunks: see `Feed`."""

    def __init__(self, source: Source, shares: Shares, ranks: Ranks) -> None:
        self.rows = shares.rows
        self.steps = shares.steps
        self._source: Source | None = source
        self._shares = shares
        self._ranks = ranks
        self._sizes = shares.sizes(ranks.rank)
        self._under_way: WeakSet[Generator[Batch, None, None]] = WeakSet()

    def epoch(self, number: int) -> Iterator[Batch]:
        if self._source is None:
            raise RuntimeError("the feed is closed")
        epoch = self._batches(self._source, number)
        self._under_way.add(epoch)
        return epoch

    def close(self) -> None:
        for epoch in list(self._under_way):
            epoch.close()
        self._source = None

    def _batches(self, source: Source, number: int) -> Generator[Batch, None, None]:
        got = 0
        with closing(source.chunks(number)) as chunks:
            for step, rows in enumerate(cut(chunks, self._sizes, device=self._ranks.device)):
                got += len(rows)
                weight = self._shares.weight(step, len(rows))
                yield Batch(users=rows.users, items=rows.items, ratings=rows.ratings, weight=weight)
        self._ranks.require_all(got, share=sum(self._sizes), rows=self.rows, when=f"epoch {number}")


def cut(chunks: Iterator[Columns[Tensor]], sizes: Sequence[int], *, device: torch.device) -> Iterator[Columns[Tensor]]:
    """The chunks' rows in as many pieces as there are sizes, each of its size.

    Where rows run out, pieces are short or empty; the last piece takes whatever is left. So a count of the pieces' rows
    tells whether all came, at the end of the epoch, when every rank counts.
    """
    last = len(sizes) - 1
    step = 0
    begun: list[Columns[Tensor]] = []
    missing = sizes[step]
    for chunk in chunks:
        start = 0
        while step < last and len(chunk) - start >= missing:
            yield joined_tensors([*begun, chunk.cut(start, start + missing)])
            start, begun, step = start + missing, [], step + 1
            missing = sizes[step]
        if start < len(chunk):
            begun.append(chunk.cut(start, len(chunk)))
            missing -= len(chunk) - start
    for _ in range(step, len(sizes)):
        yield joined_tensors([*begun, _no_rows(device)])
        begun = []


def _no_rows(device: torch.device) -> Columns[Tensor]:
    index = torch.empty(0, dtype=torch.int64, device=device)
    return Columns(index, index, torch.empty(0, dtype=torch.float32, device=device))


Mode: TypeAlias = Literal["auto", "stream", "resident"]

MEMORY_SHARE = 0.25
"""Of the memory now free, how much `auto` gives to a resident feed."""


def open_feed(
    files: Sequence[str],
    *,
    mode: Mode,
    batch_size: int,
    rank: int,
    world_size: int,
    seed: int,
    device: torch.device,
    shuffle: bool = True,
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
    ConfigurationError : an argument is out of range, or petastorm is not the version known
    DataError : a file cannot be read, lacks a column, holds null; there are no rows; the ranks see different rows
    """
    _require(mode, batch_size)
    install()
    ranks = Ranks(rank, world_size, device)
    snapshot = read_snapshot(files)
    shares = Shares(snapshot.rows, batch_size, world_size)
    if _resident(mode, snapshot, shares, ranks):
        return EpochFeed(Resident(snapshot, shares, ranks=ranks, seed=seed, shuffle=shuffle), shares, ranks)
    return EpochFeed(Stream(snapshot, shares, ranks=ranks, seed=seed, shuffle=shuffle), shares, ranks)


def _require(mode: str, batch_size: int) -> None:
    if mode not in get_args(Mode):
        raise ConfigurationError(f"mode {mode!r}: must be one of {', '.join(get_args(Mode))}")
    if batch_size < 1:
        raise ConfigurationError(f"batch_size {batch_size}: must be 1 or more")


def _resident(mode: Mode, snapshot: Snapshot, shares: Shares, ranks: Ranks) -> bool:
    """The same on every rank, which also have to see the same rows."""
    wanted = mode == "resident" or (mode == "auto" and _fits(shares, ranks))
    everywhere, fewest, most_negated = ranks.least(wanted, snapshot.rows, -snapshot.rows)
    if fewest != -most_negated:
        raise DataError(f"the ranks see from {fewest:,} to {-most_negated:,} rows; give all of them the same files")
    return bool(everywhere)


def _fits(shares: Shares, ranks: Ranks) -> bool:
    if ranks.device.type == "cuda":
        begin, end = shares.bounds(ranks.rank)
        free, _ = torch.cuda.mem_get_info(ranks.device)
        return (end - begin) * BYTES_A_ROW <= MEMORY_SHARE * free
    return bool(shares.rows * BYTES_A_ROW <= MEMORY_SHARE * psutil.virtual_memory().available)
