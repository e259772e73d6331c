"""Tables of a catalog read as a Snapshot reads those under a path: by Spark, which alone reaches them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.sql import functions as F

from nightreel.errors import TableError
from nightreel.settings.sections import TablesSettings
from nightreel.tables.snapshot import Snapshot, sql_id
from nightreel.tables.tables import Tables


def snapshot_of(tables: Tables, settings: TablesSettings) -> Snapshot:
    """The tables of a running session, for questions: without Spark where they lie under a path."""
    return CatalogSnapshot(tables) if settings.catalog else Snapshot(settings.root, settings.dataset)


class CatalogSnapshot(Snapshot):
    """A dataset's tables in a catalog. Conditions and queries are SQL that Spark and DataFusion read alike."""

    _quote = "`"

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self.dataset = tables.dataset

    def exists(self, table: str) -> bool:
        return self._tables.exists(table)

    def _execute(self, query: str, named: Mapping[str, tuple[str, int | None]]) -> pa.Table:
        for name, (table, version) in named.items():
            self._tables.read(table, version=version).createOrReplaceTempView(name)
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
