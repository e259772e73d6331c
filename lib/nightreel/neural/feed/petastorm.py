"""petastorm 0.13.1 on today's pyarrow and numpy, without the race in which its thread pool loses rows.

petastorm imports names that pyarrow and numpy have removed. `install` gives them to petastorm's own modules; pyarrow
and numpy themselves stay as they are.
"""

from __future__ import annotations

import posixpath
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import IO, Any
from urllib.parse import quote, unquote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from nightreel.errors import ConfigurationError, DataError
from nightreel.neural.feed.batch import Array, Columns, joined, no_rows
from nightreel.neural.feed.snapshot import COLUMNS, RowGroup, RowRange

PETASTORM = "0.13.1"
"""The version whose sources this was written against."""

_INSTALLED = "_nightreel_installed"


class ParquetDatasetPiece:
    """A Parquet file, or one row group of it.

    Parameters
    ----------
    path : as `open_file_func` takes it
    row_group : its number in the file; None is the whole file
    partition_keys : kept, not used
    """

    def __init__(
        self,
        path: str,
        open_file_func: _Open,
        row_group: int | None = None,
        partition_keys: Sequence[tuple[str, int]] = (),
    ) -> None:
        self.path = path
        self.row_group = row_group
        self.partition_keys = partition_keys
        self._open = open_file_func

    def get_metadata(self) -> pq.FileMetaData:
        with self._open(self.path) as file:
            return pq.read_metadata(file)

    def read(self, columns: Collection[str], partitions: None = None) -> pa.Table:  # noqa: ARG002
        """The rows, with the columns named."""
        with self._open(self.path) as file:
            reader = pq.ParquetFile(file)
            if self.row_group is None:
                return reader.read(columns=sorted(columns))
            return reader.read_row_group(self.row_group, columns=sorted(columns))


class ParquetDataset:
    """Parquet files of one filesystem.

    Parameters
    ----------
    path_or_paths : files in the order to read them, or the folder whose files to read in the order of their names;
        files and folders whose names begin with `_` or `.` are not data
    filesystem : opens and lists them
    validate_schema, metadata_nthreads : not used
    filters : must be None

    Raises
    ------
    NotImplementedError : filters are given
    """

    partitions = None
    metadata = None
    common_metadata = None

    def __init__(
        self,
        path_or_paths: str | list[str],
        filesystem: AbstractFileSystem,
        *,
        validate_schema: bool = False,  # noqa: ARG002
        metadata_nthreads: int = 1,  # noqa: ARG002
        filters: Any = None,
    ) -> None:
        if filters is not None:
            raise NotImplementedError("filters: not supported here; select the files to read instead")
        self.paths = path_or_paths
        self.fs = filesystem
        files = _data_files(filesystem, path_or_paths) if isinstance(path_or_paths, str) else path_or_paths
        self.pieces = [ParquetDatasetPiece(file, filesystem.open) for file in files]


def _data_files(filesystem: AbstractFileSystem, folder: str) -> list[str]:
    below = [(file, posixpath.relpath(file, folder).split("/")) for file in filesystem.find(folder)]
    return sorted(file for file, parts in below if not any(part.startswith(("_", ".")) for part in parts))


class _Unescaping:
    """A filesystem that opens escaped paths.

    petastorm takes URLs, but neither escapes nor unescapes them: a path with `#` or `?` would lose its end.
    """

    def __init__(self, filesystem: AbstractFileSystem) -> None:
        self._filesystem = filesystem

    def open(self, path: str) -> Any:
        return self._filesystem.open(unquote(path))


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
    _require_known_version()
    with _removed_modules():
        reader = import_module("petastorm.reader")
    if getattr(reader, _INSTALLED, False):
        return
    for module, name, completed in COMPLETED:
        _replace(import_module(module), name, completed)
    _mend(import_module("petastorm.workers_pool.thread_pool").ThreadPool)
    setattr(reader, _INSTALLED, True)


def _require_known_version() -> None:
    try:
        found = version("petastorm")
    except PackageNotFoundError as error:
        raise ConfigurationError("petastorm: not installed; pip install 'nightreel[neural]'") from error
    if found != PETASTORM:
        raise ConfigurationError(f"petastorm {found}: its insides are not known; pip install petastorm=={PETASTORM}")


@contextmanager
def _removed_modules() -> Iterator[None]:
    """While petastorm is imported, the modules that pyarrow no longer has."""
    added = []
    for module, name in IMPORTED.items():
        if module not in sys.modules:
            sys.modules[module] = stand_in = ModuleType(module)
            setattr(stand_in, name, type(name, (), {}))
            added.append(module)
    try:
        yield
    finally:
        for module in added:
            del sys.modules[module]


def _replace(module: ModuleType, name: str, completed: _Completed) -> None:
    found = getattr(module, name, None)
    if found is not completed._module:
        raise ConfigurationError(
            f"{module.__name__}.{name}: is {found!r} where petastorm {PETASTORM} has the module "
            f"{completed.__name__}; reinstall petastorm=={PETASTORM}"
        )
    setattr(module, name, completed)


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


_Open = Callable[[str], IO[bytes]]


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
