"""Whether ids are numbers or text.

Ids are numbers where all data say so: the columns of tables and Parquet files by an integer type, those of text files
by whole numbers without leading zeros in every line. Each new or changed text file is looked through for that before it
is read; the first id that is no such number makes all ids text, those of files read earlier too, so that no row is
lost. Text they stay. (Rows that stay of files that are gone cannot be read again: ingest then refuses.)
"""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

_WHOLE = r"^(0|[1-9][0-9]{0,18})\z"
_INTEGERS = {"int8", "int16", "int32", "int64", "uint8", "uint16", "uint32"} | {
    "byte", "short", "integer", "long", "tinyint", "smallint", "int", "bigint"
}  # fmt: skip


def is_integer(type_name: str) -> bool:
    """Of a column of a table or Parquet file, as Arrow, Delta and Spark name types."""
    return type_name in _INTEGERS


def is_number(column: str) -> Column:
    """Whether a text id is as a bigint would be written."""
    return F.col(column).rlike(_WHOLE) & F.col(column).try_cast("bigint").isNotNull()
