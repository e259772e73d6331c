"""Epochs of exactly so many batches, their rows counted."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from typing import Protocol
from weakref import WeakSet

import torch
from torch import Tensor

from nightreel.neural.feed.batch import Batch
from nightreel.neural.feed.columns import Columns, joined_tensors
from nightreel.neural.feed.over_ranks import Ranks
from nightreel.neural.feed.shares import Shares


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
