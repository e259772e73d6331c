"""Shuffling more rows than fit the processor's cache, in pieces that do.

Rows are dealt at random into bins, and what is in a bin is shuffled when it leaves (Rao 1961, Sandelius 1962). One
permutation of all the rows held would shuffle no better, but read memory at random and take several times as long.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from itertools import pairwise

import numpy as np
import torch

from nightreel.neural.feed.batch import Array, Columns, joined, no_rows

BINS = 16
BLOCK_ROWS = 1 << 17
"""Rows shuffled at a time before they are dealt: their columns fit a core's share of cache."""


def shuffled_blocks(rows: Columns[Array], generator: np.random.Generator) -> list[Columns[Array]]:
    """The rows in blocks of BLOCK_ROWS, each shuffled in itself: ready to be dealt by cutting."""
    starts = range(0, len(rows), BLOCK_ROWS)
    return [_shuffled(rows.cut(start, start + BLOCK_ROWS), generator) for start in starts]


def mixed(
    blocks: Iterable[Columns[Array]], *, buffer_rows: int, generator: np.random.Generator
) -> Iterator[Columns[Array]]:
    """All rows of the blocks in shuffled chunks, each with rows of many blocks.

    When more than buffer_rows are held, the bin that has waited longest leaves. A row so waits until up to BINS bins
    have left, and meets rows of blocks that came long before and after its own.

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
