"""Which rows are whose: every rank gets as many as the others, in as many batches, and none twice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from nightreel.neural.feed.snapshot import RowGroup


@dataclass(frozen=True)
class Shares:
    """An epoch's rows over its steps and ranks: the numbers 0 to rows - 1, cut into steps of nearly equal length.

    Of the numbers of a step every world_size-th is a rank's. So all batches have nearly the same size, all ranks have
    `steps` of them, and no step is empty, however few the rows; a batch is where its step has fewer rows than ranks.

    rows : of the snapshot
    batch_size : rows of a step over all ranks, at most
    """

    rows: int
    batch_size: int
    world_size: int

    @cached_property
    def steps(self) -> int:
        return -(-self.rows // self.batch_size)

    def bounds(self, rank: int) -> tuple[int, int]:
        """Where the rank's rows begin and end among all rows in the order of reading."""
        return sum(self._before(self.rows, other) for other in range(rank)), sum(
            self._before(self.rows, other) for other in range(rank + 1)
        )

    def sizes(self, rank: int) -> list[int]:
        """Rows of each of the rank's batches."""
        ends = [self._before(self._end(step), rank) for step in range(self.steps + 1)]
        return [end - begin for begin, end in pairwise(ends)]

    def weight(self, step: int, rows: int) -> float:
        """Of the mean over `rows` rows of one rank, in the mean over all rows of the step: see `Batch`."""
        return self.world_size * rows / (self._end(step + 1) - self._end(step))

    def _end(self, steps: int) -> int:
        return steps * self.rows // self.steps

    def _before(self, number: int, rank: int) -> int:
        """How many of the numbers below `number` are the rank's."""
        return max(0, number - rank + self.world_size - 1) // self.world_size


@dataclass(frozen=True)
class RowRange:
    """The rows of a row group from start until before stop, at least one."""

    group: RowGroup
    start: int
    stop: int


def row_ranges(groups: Iterable[RowGroup], begin: int, end: int) -> list[RowRange]:
    """Where the rows from begin until before end lie, when the groups are read one after the other."""
    ranges = []
    for group in groups:
        start, stop = max(begin, 0), min(end, group.rows)
        if start < stop:
            ranges.append(RowRange(group, start, stop))
        begin, end = begin - group.rows, end - group.rows
    return ranges
