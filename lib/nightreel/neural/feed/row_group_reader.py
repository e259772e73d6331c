"""One row group, read through petastorm.

A petastorm reader with several threads gives row groups in any order, and its shards are whole row groups, of which
there may be fewer than ranks. One reader with one thread for each row group gives them in the order asked for, and
costs no more: what petastorm spends on a row group is the same in both.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, unquote

import numpy as np
import pyarrow as pa
from fsspec import AbstractFileSystem

from nightreel.errors import DataError
from nightreel.neural.feed.columns import Array, Columns, joined, no_rows
from nightreel.neural.feed.shares import RowRange
from nightreel.neural.feed.snapshot import COLUMNS, RowGroup


class _Unescaping:
    """A filesystem that opens escaped paths.

    petastorm takes URLs, but neither escapes nor unescapes them: a path with `#` or `?` would lose its end.
    """

    def __init__(self, filesystem: AbstractFileSystem) -> None:
        self._filesystem = filesystem

    def open(self, path: str) -> Any:
        return self._filesystem.open(unquote(path))


def read(rows: RowRange) -> Columns[Array]:
    """The rows: users and items int32, ratings float32; fewer where petastorm gives fewer than the footer promises.

    Raises
    ------
    DataError : the file cannot be read any more, or holds null
    """
    group = rows.group
    try:
        found = joined([no_rows(), *_parts(group)])
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{group.path}: cannot be read any more: {str(error).splitlines()[0]}") from error
    # petastorm gives null as NaN, and a column of indices with one as floats.
    if found.users.dtype != np.int32 or found.items.dtype != np.int32 or np.isnan(found.ratings).any():
        raise DataError(f"{group.path}: row group {group.number} holds null; every row needs a value")
    return found.cut(rows.start, rows.stop)


def _parts(group: RowGroup) -> list[Columns[Array]]:
    # Importable only once petastorm_compat is installed.
    from petastorm.reader import make_batch_reader

    reader = make_batch_reader(
        [f"file://{quote(group.path)}"],
        # Patterns: without anchors petastorm warns of other columns that begin with the same letters.
        schema_fields=[f"^{name}$" for name in COLUMNS],
        reader_pool_type="thread",
        workers_count=1,
        shuffle_row_groups=False,
        cur_shard=group.number,
        shard_count=group.siblings,
        filesystem=_Unescaping(group.filesystem),
    )
    try:
        return [Columns(part.user_idx, part.item_idx, part.rating) for part in reader]
    finally:
        reader.stop()
        reader.join()
