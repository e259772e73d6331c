"""The only place that reads and writes tables: Delta, under a path or in a catalog."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import unquote

import pyarrow as pa
from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, DataFrameWriter, SparkSession
from pyspark.sql import functions as F

from nightreel.errors import TableError
from nightreel.session.spark_session import local_path, writes_here
from nightreel.settings.sections import TablesSettings
from nightreel.tables.delta_rs import (
    TableFile,
    commit_files,
    commit_rows,
    newest_stamp,
    open_table,
    schema_json,
    takes_files,
)
from nightreel.tables.schemas import ID, SCHEMAS, TableSchema

T = TypeVar("T")
_ID_TYPES = ("bigint", "string")
_ABSENT = {
    "DELTA_MISSING_DELTA_TABLE",
    "DELTA_PATH_DOES_NOT_EXIST",
    "DELTA_TABLE_NOT_FOUND",
    "DELTA_TABLE_ONLY_OPERATION",
    "PATH_NOT_FOUND",
    "SCHEMA_NOT_FOUND",
    "TABLE_OR_VIEW_NOT_FOUND",
}


class Tables:
    """One dataset's tables.

    Every write is one Delta commit: a reader sees the whole table or the one before it. A table replaced whole
    is checked against the version it had when this object first looked (`watch`), so that of two jobs writing
    at once the second stops instead of mixing its rows into the first one's tables.
    """

    def __init__(self, spark: SparkSession, settings: TablesSettings) -> None:
        self.spark = spark
        self._settings = settings
        root = local_path(settings.root) if not settings.catalog and writes_here(spark) else None
        self._local = root is not None
        self._root = settings.root.rstrip("/") if root is None else str(root)
        self._watched: dict[str, int | None] = {}
        self._pinned: dict[str, int | None] = {}

    def name(self, table: str) -> str:
        """How Spark SQL names the table: delta.`<root>/<dataset>/<table>` or <catalog>.<dataset>.<table>."""
        if self._settings.catalog:
            return f"{self._settings.catalog}.{self._settings.dataset}.{SCHEMAS[table].name}"
        return f"delta.`{self.path(table)}`"

    def path(self, table: str) -> str:
        """Where the table lies, unless in a catalog; absolute on one machine."""
        return f"{self._root}/{self._settings.dataset}/{SCHEMAS[table].name}"

    @property
    def dataset(self) -> str:
        return self._settings.dataset

    @property
    def is_local(self) -> bool:
        """Whether the tables lie in folders of this machine."""
        return self._local

    def exists(self, table: str) -> bool:
        folder = self._local_folder(table)
        return self._columns(table) is not None if folder is None else open_table(folder) is not None

    def version(self, table: str) -> int | None:
        """The newest Delta version, or None where there is no such table."""
        folder = self._local_folder(table)
        if folder is not None:
            opened = open_table(folder)
            return None if opened is None else opened.version()
        history = f"DESCRIBE HISTORY {self.name(table)} LIMIT 1"
        newest = _unless_absent(lambda: self.spark.sql(history).select("version").first())
        return None if newest is None else int(newest[0])

    def state(self, table: str) -> str | None:
        """`<table's id>@<version>`: changes whenever rows may have changed, also when the table is created again."""
        folder = self._local_folder(table)
        if folder is not None:
            opened = open_table(folder)
            return None if opened is None else f"{opened.metadata().id}@{opened.version()}"
        version = self.version(table)
        if version is None:
            return None
        detail = self.spark.sql(f"DESCRIBE DETAIL {self.name(table)}").select("id").first()
        return f"{detail[0] if detail else ''}@{version}"

    def stamp(self, table: str) -> str | None:
        """The stamp (see `replace`) of the newest commit that has one; None where there is none."""
        folder = self._local_folder(table)
        if folder is not None:
            opened = open_table(folder)
            return None if opened is None else newest_stamp(opened)
        if not self.exists(table):
            return None
        history = self.spark.sql(f"DESCRIBE HISTORY {self.name(table)}").where("userMetadata IS NOT NULL")
        newest = history.orderBy(F.desc("version")).select("userMetadata").first()
        return None if newest is None else str(newest[0])

    def read(self, table: str, *, version: int | None = None) -> DataFrame:
        """The table's rows, at a Delta version if one is given, else at the one that is pinned, else the newest.

        Raises
        ------
        TableError : there is no such table, or it has an older schema
        """
        if not self._checked_columns(table):
            raise TableError(f"{self.name(table)}: no such table; {SCHEMAS[table].owner} writes it")
        return self._load(table, self._pinned.get(table) if version is None else version).select(
            *SCHEMAS[table].columns
        )

    def few(self, table: str, **equal: object) -> list[dict[str, Any]]:
        """Rows of a small table in memory, whose columns equal the values; on one machine without a Spark plan.

        Raises
        ------
        TableError : there is no such table, it has an older schema, or a file of it cannot be read
        """
        folder = self._local_folder(table)
        opened = None if folder is None else open_table(folder)
        if opened is None or {field.name for field in opened.schema().fields} != set(SCHEMAS[table].columns):
            found = self.read(table)
            for name, value in equal.items():
                found = found.where(F.col(name) == F.lit(value))
            rows: list[dict[str, Any]] = found.toArrow().to_pylist()  # times of collected rows would lose their zone
            return rows
        try:
            rows = opened.to_pyarrow_table().to_pylist()
        except (pa.ArrowInvalid, OSError) as error:
            first = str(error).partition(". ")[0]
            raise TableError(f"{folder}: a file cannot be read: {first}; put back a copy") from error
        return [row for row in rows if all(row[name] == value for name, value in equal.items())]

    def pin(self, *tables: str) -> None:
        """Read these tables as they are now from here on, whatever another job writes, until they are pinned again.

        What this object writes itself is read.
        """
        self._pinned |= {table: self.version(table) for table in tables}

    def pinned(self, table: str) -> int:
        """The version at which the pinned table is read; 0 where it was not there."""
        return self._pinned[table] or 0

    def changed_since_pinned(self, *tables: str) -> list[str]:
        return [table for table in tables if self.version(table) != self._pinned[table]]

    def watch(self, *tables: str) -> None:
        """Note the tables' versions now: `replace` refuses if another job has written one since."""
        for table in tables:
            self._watched.setdefault(table, self.version(table))

    def replace(self, table: str, rows: DataFrame, *, stamp: str | None = None) -> None:
        """All of the table's rows, and its schema, in one commit that carries the stamp."""
        self._check_unchanged(table)
        writer = self._writer(table, rows).mode("overwrite").option("overwriteSchema", "true")
        self._save(table, writer if stamp is None else writer.option("userMetadata", stamp))

    def replace_where(self, table: str, rows: DataFrame, condition: str, *, stamp: str | None = None) -> None:
        """The rows matching the SQL condition, which every new row must match too, in one commit that has the stamp.

        Raises
        ------
        TableError : the ids in the table are numbers and those of the rows text, or the other way round
        """
        self._check_unchanged(table)
        there, given = self._checked_columns(table), dict(rows.dtypes)
        for name, kind in SCHEMAS[table].columns.items():
            if there and kind == ID and there[name] != given.get(name):
                raise TableError(
                    f"{self.name(table)}: column {name} is {there[name]}, and {given.get(name)} in the rows to write: "
                    "data.ids was another when the table was made; remove it, or name another tables.dataset"
                )
        writer = self._writer(table, rows).mode("overwrite")
        writer = writer if stamp is None else writer.option("userMetadata", stamp)
        self._save(table, writer.option("replaceWhere", condition) if there else writer)

    def put(self, table: str, rows: Sequence[Mapping[str, Any]], condition: str) -> None:
        """As `replace_where`, of a few rows in memory: on one machine without Spark, which takes far longer.

        A table that is not there is made first, in a commit without rows.

        Parameters
        ----------
        rows : all columns by name, none of them an external id; times with their zone
        condition : without literals that Spark and DataFusion read differently, such as times; see `sql_text`
        """
        self._check_unchanged(table)
        columns = SCHEMAS[table].columns
        folder = self.folder_for_files(table)
        if folder is None:
            ddl = ", ".join(f"`{name}` {kind}" for name, kind in columns.items())
            frame = self.spark.createDataFrame([tuple(row[name] for name in columns) for row in rows], ddl)
            self.replace_where(table, frame, condition)
            return
        self._checked_columns(table)
        commit_rows(
            folder,
            rows,
            schema=schema_json(columns),
            condition=condition,
            partitions=SCHEMAS[table].partitions,
            properties=SCHEMAS[table].properties,
            version=(self._watched[table] or 0) if table in self._watched else None,
        )
        self._written(table)

    def folder_for_files(self, table: str) -> str | None:
        """The table's local folder, if it takes Parquet files (`adopt`); else only Spark writes (see delta_rs).

        None without a local folder, and for a table with other columns or with Delta features beyond the plain ones.
        """
        folder = self._local_folder(table)
        if folder is None or not takes_files(folder):
            return None
        columns = self._columns(table)
        return folder if columns is None or columns.keys() == SCHEMAS[table].columns.keys() else None

    def adopt(self, table: str, files: Sequence[TableFile], *, replace: bool) -> None:
        """Parquet files in the table's folder become its rows, or are added to them, in one commit.

        Parameters
        ----------
        files : at least one; their rows have the columns and types that the table has or is to have
        """
        self._check_unchanged(table)
        folder = self.folder_for_files(table)
        if folder is None:
            raise TableError(f"{self.name(table)}: only Spark can write there")
        rows = self.spark.read.parquet(*(f"{folder}/{file.name}" for file in files))
        given, columns = dict(rows.dtypes), self._columns(table)
        _check_schema(SCHEMAS[table], given, f"files for {table}")
        if columns is not None and not replace and columns != given:
            raise TableError(f"{self.name(table)}: has columns {columns}, and the files to add {given}")
        commit_files(
            folder,
            files,
            mode="overwrite" if replace else "append",
            schema=rows.schema.json(),
            properties=SCHEMAS[table].properties,
            version=self._watched[table] if table in self._watched else self.version(table),
        )
        self._written(table)

    def _local_folder(self, table: str) -> str | None:
        """The table's folder on this machine; None in a catalog, over Spark Connect and on a cluster."""
        path = self.path(table)
        return path if self._local and unquote(path) == path else None  # delta-rs would decode it

    def _load(self, table: str, version: int | None = None) -> DataFrame:
        reader = self.spark.read.format("delta")
        if version is not None:
            reader = reader.option("versionAsOf", version)
        return reader.table(self.name(table)) if self._settings.catalog else reader.load(self.path(table))

    def _columns(self, table: str) -> dict[str, str] | None:
        """The types by column that the table has now, or None where there is no such table."""
        folder = self._local_folder(table)
        if folder is not None and open_table(folder) is None:  # Spark takes far longer to say so
            return None
        return _unless_absent(lambda: dict(self._load(table).dtypes))

    def _checked_columns(self, table: str) -> dict[str, str] | None:
        """See `_columns`; raises TableError where the table has an older schema."""
        columns = self._columns(table)
        if columns is not None:
            _check_schema(SCHEMAS[table], columns, self.name(table))
        return columns

    def _writer(self, table: str, rows: DataFrame) -> DataFrameWriter:
        schema = SCHEMAS[table]
        given = dict(rows.dtypes)
        _check_schema(schema, given, f"rows for {table}", exact_types=False)
        typed = [F.col(name) if kind == ID else F.col(name).cast(kind) for name, kind in schema.columns.items()]
        writer = rows.select(*typed).write.format("delta")
        if not self.exists(table):
            writer = writer.options(**schema.properties)
        return writer.partitionBy(*schema.partitions) if schema.partitions else writer

    def _save(self, table: str, writer: DataFrameWriter) -> None:
        if self._settings.catalog:
            self.spark.sql(f"CREATE SCHEMA IF NOT EXISTS {self._settings.catalog}.{self._settings.dataset}")
            writer.saveAsTable(self.name(table))
        else:
            writer.save(self.path(table))
        self._written(table)

    def _written(self, table: str) -> None:
        self._pinned.pop(table, None)
        if table in self._watched:
            self._watched[table] = self.version(table)

    def _check_unchanged(self, table: str) -> None:
        if table not in self._watched:
            return
        current = self.version(table)
        if current != self._watched[table]:
            raise TableError(
                f"{self.name(table)}: another job wrote it (version {self._watched[table]} -> {current}) while this "
                "one ran; nothing was written to it: run this job again when the other has ended"
            )


def digest(parts: Any) -> str:
    """Sixteen hexadecimal digits that are equal for equal parts: settings as JSON types, versions, other digests."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _check_schema(schema: TableSchema, columns: dict[str, str], where: str, *, exact_types: bool = True) -> None:
    for name, kind in schema.columns.items():
        allowed = _ID_TYPES if kind == ID else (kind,)
        types = " or ".join(allowed)
        if name not in columns:
            fault = f"{types} is missing"
        elif (exact_types or kind == ID) and columns[name] not in allowed:
            fault = f"is {columns[name]}, must be {types}"
        else:
            continue
        raise TableError(
            f"{where}: column {name} {fault}; was it written by another version of nightreel? "
            f"{schema.owner} writes it anew once removed"
        )


def _unless_absent(query: Callable[[], T]) -> T | None:
    """What the query returns; None where its table is not there."""
    try:
        return query()
    except AnalysisException as error:
        if error.getCondition() in _ABSENT:
            return None
        raise
