"""Which feed for which data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias, get_args

import psutil  # type: ignore[import-untyped]
import torch

from nightreel.errors import ConfigurationError, DataError
from nightreel.neural.feed.batch import Feed
from nightreel.neural.feed.epochs import EpochFeed
from nightreel.neural.feed.over_ranks import Ranks
from nightreel.neural.feed.petastorm_compat import install
from nightreel.neural.feed.resident import BYTES_A_ROW, Resident
from nightreel.neural.feed.shares import Shares
from nightreel.neural.feed.snapshot import Snapshot, read_snapshot
from nightreel.neural.feed.stream import Stream

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
