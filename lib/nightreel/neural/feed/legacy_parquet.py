"""The two classes of pyarrow's old Parquet interface that petastorm calls, over today's `ParquetFile`.

As much of them as `make_batch_reader` needs for Parquet files that petastorm did not write: no `_metadata` files, no
partition columns, no filters.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection, Sequence
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq
from fsspec import AbstractFileSystem

_Open = Callable[[str], IO[bytes]]


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
