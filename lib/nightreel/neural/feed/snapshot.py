"""The rows of a snapshot: row groups from Parquet footers, each rank's share of them, and columns of rows once read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from fsspec import AbstractFileSystem
from torch import Tensor

from nightreel.errors import DataError
from nightreel.neural.process import Process
from nightreel.neural.spec import locate

COLUMNS = {"user_idx": pa.int32(), "item_idx": pa.int32(), "rating": pa.float32()}
"""The columns read, and their types."""

_FOOTERS_AT_ONCE = 16


class RowGroup(NamedTuple):
    """One row group of a file.

    filesystem, path : what opens the file, and under which name
    number : of the `siblings` row groups of the file this one, from 0
    rows : at least 1
    """

    filesystem: AbstractFileSystem
    path: str
    number: int
    siblings: int
    rows: int


def row_groups(files: Sequence[str]) -> list[RowGroup]:
    """Those of Parquet files (`spec.Files`) by path and number, at least one, without empty ones.

    Raises DataError where a file cannot be read, lacks one of `COLUMNS`, has it with another type or with null, and
    where there are no rows at all.
    """
    with ThreadPoolExecutor(_FOOTERS_AT_ONCE) as pool:
        groups = [group for found in pool.map(_of_file, sorted(files)) for group in found]
    if not groups:
        raise DataError(f"no rows in the {len(files)} files given; the snapshot's split is empty")
    return groups


def _of_file(file: str) -> list[RowGroup]:
    try:
        filesystem, path = locate(file)
        with filesystem.open(path) as opened:
            footer = pq.read_metadata(opened)
    except (OSError, pa.ArrowException, ImportError, ValueError) as error:
        raise DataError(f"{file}: cannot be read as Parquet: {str(error).splitlines()[0]}") from error
    _require_columns(file, footer)
    rows = [footer.row_group(number).num_rows for number in range(footer.num_row_groups)]
    return [RowGroup(filesystem, path, number, len(rows), n) for number, n in enumerate(rows) if n]


def _require_columns(file: str, footer: pq.FileMetaData) -> None:
    schema = footer.schema.to_arrow_schema()
    for name, wanted in COLUMNS.items():
        if name not in schema.names:
            raise DataError(f"{file}: column {name} is missing; there are {', '.join(schema.names)}")
        if schema.field(name).type != wanted:
            raise DataError(f"{file}: column {name} is {schema.field(name).type}; {wanted} is needed")
        position = [footer.schema.column(number).path for number in range(footer.num_columns)].index(name)
        for number in range(footer.num_row_groups):
            count = footer.row_group(number).column(position).statistics  # which writers may leave out
            if count is not None and count.has_null_count and count.null_count:
                raise DataError(f"{file}: column {name} holds null; every row needs a value")


class RowRange(NamedTuple):
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


@dataclass(frozen=True)
class Shares:
    """How an epoch's rows, numbered from 0, are shared out over steps of nearly equal size, and over ranks.

    Every world_size-th number of a step belongs to one rank. So all batches have nearly the same size, all ranks have
    `steps` of them, and no step is empty, however few the rows; a batch is empty where its step has fewer rows than
    ranks.

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
        begin = sum(self._before(self.rows, other) for other in range(rank))
        return begin, begin + self._before(self.rows, rank)

    def sizes(self, rank: int) -> list[int]:
        """Rows of each of the rank's batches."""
        ends = [self._before(self._end(step), rank) for step in range(self.steps + 1)]
        return [end - begin for begin, end in pairwise(ends)]

    def weight(self, step: int, rows: int) -> float:
        """What the mean over `rows` rows of one rank weighs in the mean over all rows of the step: see `Batch`."""
        return self.world_size * rows / (self._end(step + 1) - self._end(step))

    def _end(self, steps: int) -> int:
        return steps * self.rows // self.steps

    def _before(self, number: int, rank: int) -> int:
        """How many of the numbers below `number` are the rank's."""
        return max(0, number - rank + self.world_size - 1) // self.world_size


def require_all(process: Process, got: int, *, share: int, rows: int, when: str) -> None:
    """Raise DataError, on every rank alike, unless every rank got its share; to be called on every rank.

    Parameters
    ----------
    got, share : rows that arrived on this rank, and that should have
    rows : that should have arrived over all ranks
    when : the error's first words
    """
    arrived, missed = process.total(got, abs(got - share))
    if missed:
        expected = rows if process.in_group else share
        raise DataError(
            f"{when}: {int(arrived):,} rows arrived where the footers of the snapshot's files count {expected:,} "
            f"(rank {process.rank} of {process.world_size}: {got:,} of {share:,})"
        )


Array: TypeAlias = npt.NDArray[Any]

_Column = TypeVar("_Column", Array, Tensor)
_Other = TypeVar("_Other", Array, Tensor)


@dataclass(frozen=True)
class Columns(Generic[_Column]):
    """users, items, ratings : (rows,) each."""

    users: _Column
    items: _Column
    ratings: _Column

    def __len__(self) -> int:
        # The shape of a tensor is several times quicker to ask for than its length.
        return int(self.users.shape[0])

    def each(self, change: Callable[[_Column], _Other]) -> Columns[_Other]:
        """The same change to each column."""
        return Columns(change(self.users), change(self.items), change(self.ratings))

    def cut(self, start: int, stop: int) -> Columns[_Column]:
        """The rows from start until before stop, without copying."""
        return Columns(self.users[start:stop], self.items[start:stop], self.ratings[start:stop])


def joined(parts: Sequence[Columns[_Column]]) -> Columns[_Column]:
    """The rows of all parts, of which there is at least one, one part after the other; a single part is not copied."""
    if len(parts) == 1:
        return parts[0]
    join: Callable[[list[_Column]], _Column] = torch.cat if isinstance(parts[0].users, Tensor) else np.concatenate
    users, items = join([part.users for part in parts]), join([part.items for part in parts])
    return Columns(users, items, join([part.ratings for part in parts]))


def no_rows() -> Columns[Array]:
    """As they are read: users and items int32, ratings float32."""
    return Columns(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.float32))
