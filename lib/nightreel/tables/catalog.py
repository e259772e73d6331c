"""Tables of a catalog read as a Snapshot reads those under a path: by Spark, which alone reaches them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.sql import functions as F

from nightreel.errors import TableError
from nightreel.settings.sections import TablesSettings
from nightreel.tables.schemas import SCHEMAS
from nightreel.tables.snapshot import Snapshot, sql_id
from nightreel.tables.tables import Tables


def snapshot_of(tables: Tables, settings: TablesSettings) -> Snapshot:
    """The tables of a running session, for questions: without Spark where they lie under a path."""
    return CatalogSnapshot(tables) if settings.catalog else Snapshot(settings.root, settings.dataset)


class CatalogSnapshot(Snapshot):
    """A dataset's tables in a catalog. Conditions and queries are SQL that Spark and DataFusion read alike."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self.dataset = tables.dataset

    def exists(self, table: str) -> bool:
        return self._tables.exists(table)

    def rows(
        self,
        table: str,
        columns: Iterable[str] | None = None,
        *,
        where: str = "true",
        order: str = "",
        version: int | None = None,
    ) -> pa.Table:
        named = columns or [f"`{name}`" for name in SCHEMAS[table].columns]
        self._tables.read(table, version=version).createOrReplaceTempView("rows")
        query = f"SELECT {', '.join(named)} FROM rows WHERE {where}"
        return self._collected(query + (f" ORDER BY {order}" if order else ""))

    def query(self, query: str, *tables: str) -> pa.Table:
        for table in tables:
            self._tables.read(table).createOrReplaceTempView(table)
        return self._collected(query)

    def _collected(self, query: str) -> pa.Table:
        try:
            return self._tables.spark.sql(query).toArrow()
        except PySparkException as error:
            raise TableError(f"{query[:200]}: {' '.join(str(error).split())[:300]}") from error

    def version(self, table: str) -> int:
        return self._tables.version(table) or 0

    def count(self, table: str) -> int:
        return self._tables.read(table).count()

    def extremes(self, table: str, column: str) -> tuple[Any, Any]:
        lowest, highest = self._tables.read(table).agg(F.min(column), F.max(column)).collect()[0]
        return lowest, highest

    def stamp(self, table: str) -> str | None:
        return self._tables.stamp(table)

    def id_literal(self, table: str, column: str, value: object) -> str | None:
        return sql_id(dict(self._tables.read(table).dtypes)[column], value)

    def path(self, table: str) -> str:
        return self._tables.name(table)
