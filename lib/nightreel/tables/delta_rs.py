"""Local Delta tables written without Spark, by delta-rs: Parquet files already in a table's folder, and a few rows.

So bronze_ratings is written in two ways, which leave equal tables. On one machine the Python workers that parse lines
write Parquet into the table's folder (`Staging`), and a commit here makes the files rows: lines are parsed once and
rows never pass through Spark. In a catalog, on a cluster and over Spark Connect, Spark writes the rows.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NamedTuple

import pyarrow as pa
from deltalake import DeltaTable, Schema, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.transaction import (
    AddAction,
    CommitProperties,
    PostCommitHookProperties,
    Transaction,
    create_table_with_add_actions,
)

from nightreel.errors import TableError

_WRITER_VERSION = 2
"""The writer version of plain Delta tables; a higher one means features that only Spark supports."""

_NO_HOOKS = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)
"""A hook that fails would look like a failed commit; Spark's own commits write the checkpoints."""
_CHECKPOINTS = PostCommitHookProperties(create_checkpoint=True, cleanup_expired_logs=False)
"""For tables that Spark may never write."""

_ATTEMPTS = 10


class TableFile(NamedTuple):
    """A Parquet file in a table's folder: its name there, its size in bytes, its rows, and columns' extremes."""

    name: str
    size: int
    rows: int
    lowest: Mapping[str, int]
    highest: Mapping[str, int]

    def to_json(self) -> str:
        return json.dumps(self._asdict())

    @staticmethod
    def from_json(text: str) -> TableFile:
        return TableFile(**json.loads(text))


def open_table(folder: str, *, version: int | None = None) -> DeltaTable | None:
    """A version of the table in a local folder, the newest by default; None where there is none: no query, no Spark.

    Raises
    ------
    TableError : its log cannot be read
    """
    try:
        return DeltaTable(folder, version=version)
    except TableNotFoundError:
        return None
    except DeltaError as error:
        first = str(error).partition("\n")[0]
        raise TableError(f"{folder}/_delta_log: cannot be read: {first}; put a copy of the log back") from error


def newest_stamp(table: DeltaTable) -> str | None:
    """The user metadata of the newest commit that has any."""
    return next((str(commit["userMetadata"]) for commit in table.history() if commit.get("userMetadata")), None)


def takes_files(folder: str) -> bool:
    """Whether there is no table in the local folder yet, or one that asks no more of a writer than plain Delta."""
    table = open_table(folder)
    return table is None or table.protocol().min_writer_version <= _WRITER_VERSION


def commit_files(
    folder: str,
    files: Sequence[TableFile],
    *,
    mode: Literal["append", "overwrite"],
    schema: str,
    properties: Mapping[str, str],
    version: int | None,
) -> None:
    """Add the files to the table, or replace its rows by theirs.

    Parameters
    ----------
    version : of the table as it was looked at, None where there was none, which creates it. A commit of the same kind
        since then makes this one fail, and so of two that add files at once the second
    schema : Spark's JSON form of the columns, which is Delta's
    properties : of the table, where it is created
    """
    delta_schema = Schema.from_json(schema)
    additions = [
        AddAction(
            path=file.name,
            size=file.size,
            partition_values={},
            modification_time=int(time.time() * 1_000),
            data_change=True,
            stats=json.dumps({"numRecords": file.rows, "minValues": file.lowest, "maxValues": file.highest}),
        )
        for file in files
    ]
    marked = CommitProperties(app_transactions=[Transaction("nightreel", time.time_ns())])
    options: dict[str, Any] = {"commit_properties": marked, "post_commithook_properties": _NO_HOOKS}
    if version is None:
        create_table_with_add_actions(
            folder, delta_schema, additions, mode="error", configuration=dict(properties), **options
        )
    else:
        table = DeltaTable(folder, version=version)
        table.create_write_transaction([*additions], mode=mode, schema=delta_schema, **options)


def commit_rows(
    folder: str,
    rows: Sequence[Mapping[str, Any]],
    *,
    schema: str,
    condition: str,
    partitions: Sequence[str],
    properties: Mapping[str, str],
    version: int | None,
) -> None:
    """Put rows in the place of those that meet the condition.

    Parameters
    ----------
    rows : each meets the condition
    schema : Spark's JSON form of the columns, which is Delta's
    condition : SQL that DataFusion and Spark read alike
    partitions, properties : of the table, where this creates it
    version : of the table as it was looked at: a commit since then to rows of the condition makes this one fail.
        None: it is tried again after conflicts
    """
    delta_schema = Schema.from_json(schema)
    arrow = pa.schema(delta_schema)
    given = pa.Table.from_pylist([{name: row[name] for name in arrow.names} for row in rows], arrow)
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            if not DeltaTable.is_deltatable(folder):
                options: dict[str, Any] = {"partition_by": [*partitions] or None, "configuration": dict(properties)}
                DeltaTable.create(folder, delta_schema, mode="ignore", **options)
            table = DeltaTable(folder, version=version)
            write_deltalake(
                table, given, mode="overwrite", predicate=condition, post_commithook_properties=_CHECKPOINTS
            )
            return
        except CommitFailedError:
            if version is not None or attempt == _ATTEMPTS:
                raise


_DELTA_TYPES = {"int": "integer", "bigint": "long"}


def schema_json(columns: Mapping[str, str]) -> str:
    """Spark's JSON form of columns with simple types, which is Delta's."""
    fields = [
        {"name": name, "type": _DELTA_TYPES.get(kind, kind), "nullable": True, "metadata": {}}
        for name, kind in columns.items()
    ]
    return json.dumps({"type": "struct", "fields": fields})


class Staging:
    """Where files wait in a table's folder for the commit that takes them in; a context manager.

    Files that are not the table's by its end are removed, as after a refusal, a full disk or an interruption, and with
    them the folders that only it made.
    """

    def __init__(self, folder: str | None) -> None:
        """`folder` is None where files cannot be taken in: there is then no prefix."""
        self.prefix = None if folder is None else f"{folder}/rows-{uuid.uuid4()}"
        """How the path of every file has to begin."""

    def __enter__(self) -> Staging:
        return self

    def __exit__(self, *raised: object) -> None:
        if self.prefix is None:
            return
        prefix = Path(self.prefix)
        table = open_table(str(prefix.parent))
        committed = {PurePosixPath(uri).name for uri in table.file_uris()} if table is not None else set()
        for file in prefix.parent.glob(f"{prefix.name}*"):
            if file.name not in committed:
                file.unlink()
        for emptied in list(prefix.parents)[:3]:  # the table's, the dataset's and the root
            if not emptied.is_dir() or any(emptied.iterdir()):
                return
            emptied.rmdir()
