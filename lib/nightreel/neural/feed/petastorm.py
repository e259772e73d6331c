"""Rows out of Parquet row groups, read by petastorm: `read` is all that the feed calls.

petastorm is a named part of the product, which trains networks on rows that petastorm reads. 0.13.1 is its last version
and older than the pyarrow and numpy it runs on here, so `install` gives its modules the names that those two have
removed; pyarrow and numpy themselves stay as they are. `install` also mends its thread pool, which can silently end a
reader before the last rows. Whatever petastorm gives, a feed counts every epoch's rows over all ranks against the
files' footers (`snapshot.require_all`).
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from threading import Lock
from types import ModuleType
from typing import Any
from urllib.parse import quote, unquote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from nightreel.errors import ConfigurationError, DataError
from nightreel.neural.feed.snapshot import COLUMNS, Array, Columns, RowGroup, RowRange, joined, no_rows

PETASTORM = "0.13.1"
"""The version whose sources this was written against."""

_INSTALLED = "_nightreel_installed"
_INSTALLING = Lock()


def read(rows: RowRange) -> Columns[Array]:
    """The rows: users and items int32, ratings float32; fewer where petastorm gives fewer than the footer promises.

    Raises
    ------
    ConfigurationError : petastorm is missing, or is another version
    DataError : the file cannot be read any more, or holds null
    """
    install()
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


class _Unescaping:
    """A filesystem that opens escaped paths.

    petastorm takes URLs, but neither escapes nor unescapes them: a path with `#` or `?` would lose its end.
    """

    def __init__(self, filesystem: AbstractFileSystem) -> None:
        self._filesystem = filesystem

    def open(self, path: str) -> Any:
        return self._filesystem.open(unquote(path))


class ParquetDatasetPiece:
    """A row group of a Parquet file, by its number, as pyarrow once had it."""

    def __init__(self, path: str, open_file_func: Any, row_group: int = 0, partition_keys: Any = ()) -> None:
        self.path = path
        self.row_group = row_group
        self.partition_keys = partition_keys
        self._open = open_file_func

    def get_metadata(self) -> pq.FileMetaData:
        with self._open(self.path) as file:
            return pq.read_metadata(file)

    def read(self, columns: Collection[str], partitions: None = None) -> pa.Table:  # noqa: ARG002
        """The row group's rows, with the columns named."""
        with self._open(self.path) as file:
            return pq.ParquetFile(file).read_row_group(self.row_group, columns=sorted(columns))


class ParquetDataset:
    """Parquet files of one filesystem, in the order to read them, as pyarrow once had it, but without filters."""

    partitions = None
    metadata = None
    common_metadata = None

    def __init__(self, path_or_paths: list[str], filesystem: Any, *, filters: Any = None, **_: Any) -> None:
        if filters is not None:
            raise NotImplementedError("filters: not supported here; select the files to read instead")
        self.paths = path_or_paths
        self.fs = filesystem
        self.pieces = [ParquetDatasetPiece(file, filesystem.open) for file in path_or_paths]


class _Completed(ModuleType):
    """A module with names it lacks; all other names are the module's."""

    def __init__(self, module: ModuleType, **names: Any) -> None:
        super().__init__(module.__name__)
        self._module = module
        self.__dict__.update(names)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


_PARQUET = _Completed(pq, ParquetDataset=ParquetDataset, ParquetDatasetPiece=ParquetDatasetPiece)
_ARROW = _Completed(pa, localfs=LocalFileSystem())
_NUMPY = _Completed(np, unicode_=np.str_, string_=np.bytes_)

COMPLETED: tuple[tuple[str, str, _Completed], ...] = (
    ("petastorm.reader", "pq", _PARQUET),
    ("petastorm.arrow_reader_worker", "pq", _PARQUET),
    ("petastorm.arrow_reader_worker", "np", _NUMPY),
    ("petastorm.etl.dataset_metadata", "pq", _PARQUET),
    ("petastorm.fs_utils", "pyarrow", _ARROW),
    ("petastorm.unischema", "np", _NUMPY),
)
"""Module of petastorm, the name under which it has imported another module, and what it gets instead."""

IMPORTED = {"pyarrow.filesystem": "LocalFileSystem", "pyarrow.hdfs": "HadoopFileSystem"}
"""Modules that are gone, and the name petastorm imports from each only to name a type."""


def install() -> None:
    """Make `petastorm.reader.make_batch_reader` and `petastorm.pytorch` work, and every row arrive.

    Once is enough, more often does no harm.

    Raises
    ------
    ConfigurationError : petastorm is missing, or is not the version whose insides are known here
    """
    try:
        found = version("petastorm")
    except PackageNotFoundError as error:
        raise ConfigurationError("petastorm: not installed; pip install 'nightreel[neural]'") from error
    if found != PETASTORM:
        raise ConfigurationError(f"petastorm {found}: its insides are not known; pip install petastorm=={PETASTORM}")
    with _INSTALLING:
        if getattr(sys.modules.get("petastorm.reader"), _INSTALLED, False):
            return
        with _removed_modules():
            reader = import_module("petastorm.reader")
        for module, name, completed in COMPLETED:
            has = getattr(import_module(module), name, None)
            if has is not completed._module:
                raise ConfigurationError(
                    f"{module}.{name}: is {has!r} where petastorm {PETASTORM} has the module {completed.__name__}; "
                    f"reinstall petastorm=={PETASTORM}"
                )
            setattr(import_module(module), name, completed)
        _mend(import_module("petastorm.workers_pool.thread_pool").ThreadPool)
        setattr(reader, _INSTALLED, True)


@contextmanager
def _removed_modules() -> Iterator[None]:
    """While petastorm is imported, the modules that pyarrow no longer has."""
    added = [module for module in IMPORTED if module not in sys.modules]
    for module in added:
        sys.modules[module] = ModuleType(module)
        setattr(sys.modules[module], IMPORTED[module], type(IMPORTED[module], (), {}))
    try:
        yield
    finally:
        for module in added:
            del sys.modules[module]


def _mend(pool: Any) -> None:
    """Ask whether everything was handed out before asking whether the workers are done.

    `ThreadPool.get_results` asks in the other order. When the last item is handed out between its two questions, both
    answers are yes with that item still to be read, and the reader ends early.
    """
    workers_done = pool.all_workers_done

    def all_workers_done(self: Any) -> bool:
        handed_out = self._ventilator is None or self._ventilator.completed()
        return bool(handed_out and workers_done(self))

    pool.all_workers_done = all_workers_done
