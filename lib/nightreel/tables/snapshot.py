"""Tables read without Spark, by delta-rs: a few rows of large tables, in milliseconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder

from nightreel.errors import ConfigurationError, TableError
from nightreel.tables.delta_rs import newest_stamp, open_table
from nightreel.tables.schemas import SCHEMAS
from nightreel.tables.sql import sql_text


class Snapshot:
    """One dataset's tables as they are when each is first read; a newer commit is not seen.

    Parameters
    ----------
    root : the folder (or address) of the datasets' tables
    dataset : a folder in it; None: the only one

    Raises
    ------
    ConfigurationError : there are no tables, or those of several datasets
    """

    _quote: ClassVar[str] = '"'
    """Around a column's name."""

    def __init__(self, root: str, dataset: str | None = None) -> None:
        self.root, self.dataset = root.rstrip("/"), dataset or _only_dataset(root)
        self._opened: dict[tuple[str, int | None], DeltaTable] = {}
        if not any(self.exists(name) for name in ("gold_runs", "bronze_ratings")):
            raise ConfigurationError(f"{self.root}/{self.dataset}: no tables of nightreel; the jobs write them")

    def exists(self, table: str) -> bool:
        return DeltaTable.is_deltatable(self.path(table))

    @cached_property
    def tables(self) -> Sequence[str]:
        """The names of the tables there are."""
        return [name for name in SCHEMAS if self.exists(name)]

    def rows(
        self,
        table: str,
        columns: Iterable[str] | None = None,
        *,
        where: str = "true",
        order: str = "",
        version: int | None = None,
    ) -> pa.Table:
        """The rows that meet a condition.

        Parameters
        ----------
        columns : names, or expressions of SQL; by default all
        where, order : SQL; text in it comes from `sql_text`
        version : a Delta version of the table

        Raises
        ------
        TableError : there is no such table, or it cannot be read
        """
        named = columns or [f"{self._quote}{name}{self._quote}" for name in SCHEMAS[table].columns]
        query = f"SELECT {', '.join(named)} FROM rows WHERE {where}"
        return self._execute(query + (f" ORDER BY {order}" if order else ""), {"rows": (table, version)})

    def query(self, query: str, *tables: str) -> pa.Table:
        """What DataFusion's SQL makes of the tables, by their names."""
        return self._execute(query, {name: (name, None) for name in tables})

    def _execute(self, query: str, named: Mapping[str, tuple[str, int | None]]) -> pa.Table:
        """The query's rows; `named` gives its tables, each at a version, by the names they have in it."""
        builder, tables = QueryBuilder(), {name: self._open(*table) for name, table in named.items()}
        for name, table in tables.items():
            builder.register(name, table)
        try:
            return pa.table(builder.execute(query))
        except Exception as error:  # delta-rs has no class for a file that is missing or broken
            where = ", ".join(table.table_uri for table in tables.values())
            raise TableError(f"{where}: cannot be read: {' '.join(str(error).split())[:300]}") from error

    def dicts(self, table: str, columns: Iterable[str] | None = None, **how: Any) -> list[dict[str, Any]]:
        """As `rows`, a dict a row."""
        found: list[dict[str, Any]] = self.rows(table, columns, **how).to_pylist()
        return found

    def version(self, table: str) -> int:
        return int(self._open(table, None).version())

    def count(self, table: str) -> int:
        """How many rows the table has, by its log."""
        return int(self._open(table, None).count())

    def extremes(self, table: str, column: str) -> tuple[Any, Any]:
        """The column's lowest and highest value, by the statistics of the table's log where they are kept."""
        files = pa.table(self._open(table, None).get_add_actions(flatten=True))
        if {f"min.{column}", f"max.{column}"} <= set(files.column_names):
            lowest, highest = (files[f"{end}.{column}"].to_pylist() for end in ("min", "max"))
            if None not in (*lowest, *highest):
                return min(lowest), max(highest)
        found = self.dicts(table, (f"min({column}) AS lowest", f"max({column}) AS highest"))[0]
        return found["lowest"], found["highest"]

    def stamp(self, table: str) -> str | None:
        """The stamp of the newest commit that has one (see Tables.replace)."""
        return newest_stamp(self._open(table, None))

    def id_literal(self, table: str, column: str, value: object) -> str | None:
        """The external id as SQL has it in this table; None where it cannot be one, such as text for a number."""
        kind = next(field.type for field in self._open(table, None).schema().fields if field.name == column)
        return sql_id(str(kind), value)

    def _open(self, table: str, version: int | None) -> DeltaTable:
        key = (table, version)
        if key not in self._opened:
            opened = open_table(self.path(table), version=version)
            if opened is None:
                raise TableError(f"{self.path(table)}: no such table; {SCHEMAS[table].owner} writes it")
            self._opened[key] = opened
        return self._opened[key]

    def path(self, table: str) -> str:
        """Where the table lies."""
        return f"{self.root}/{self.dataset}/{SCHEMAS[table].name}"


def sql_id(kind: str, value: object) -> str | None:
    """The external id as a literal for a column of this type; None where it cannot be one: text for a number."""
    if "string" in kind:
        return sql_text(str(value))
    text = str(value).strip()
    return str(int(text)) if text.removeprefix("-").isdecimal() and len(text) < 20 else None


def _only_dataset(root: str) -> str:
    folder = Path(root)
    if not folder.is_dir():
        raise ConfigurationError(f"{root}: no such folder of tables; --tables or tables.root names it")
    found = [
        part.name for part in sorted(folder.iterdir()) if any((part / name / "_delta_log").is_dir() for name in SCHEMAS)
    ]
    if len(found) != 1:
        said = f"holds the tables of {', '.join(found)}: name one as the dataset" if found else "holds no tables"
        raise ConfigurationError(f"{root}: {said}")
    return found[0]
