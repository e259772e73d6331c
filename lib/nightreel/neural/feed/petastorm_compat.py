"""petastorm 0.13.1 on today's pyarrow and numpy, without the race in which its thread pool loses rows.

petastorm imports names that pyarrow and numpy have removed. `install` gives them to petastorm's own modules; pyarrow
and numpy themselves stay as they are.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem

from nightreel.errors import ConfigurationError
from nightreel.neural.feed.legacy_parquet import ParquetDataset, ParquetDatasetPiece

PETASTORM = "0.13.1"
"""The version whose sources this was written against."""

_INSTALLED = "_nightreel_installed"


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
