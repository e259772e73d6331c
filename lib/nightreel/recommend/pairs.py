"""Pairs to score, from a CSV file, Parquet, a Delta table, or a file in the Netflix Prize's format."""

from __future__ import annotations

import re

from fsspec.core import url_to_fs
from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from nightreel import sources
from nightreel.errors import ConfigurationError, DataError
from nightreel.settings import IngestSettings
from nightreel.sources.judging import id_as, spelled_id

_ID_TYPES = ("tinyint", "smallint", "int", "bigint", "string", "float", "double", "decimal")
_CSV = re.compile(r"\.(csv|tsv)(\.(gz|bz2|zst))?$")
_TABLE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*){0,2}")


def read_pairs_to_score(
    spark: SparkSession, path: str, *, users: DataFrame, items: DataFrame, settings: IngestSettings
) -> tuple[DataFrame, DataFrame | None]:
    """The pairs at the path, and the rejected lines (grain line, column reason); None unless it is a .txt file.

    A .txt or .txt.gz file has the Netflix Prize's format; everything else is read by `read_pairs`.
    """
    if path.endswith((".txt", ".txt.gz")):
        prize = sources.read_pairs(spark, path, settings)
        types = {"user_id": dict(users.dtypes)["user_id"], "item_id": dict(items.dtypes)["item_id"]}
        return prize.pairs.withColumns({name: F.col(name).cast(kind) for name, kind in types.items()}), prize.rejects
    return read_pairs(spark, path, users=users, items=items), None


def read_pairs(spark: SparkSession, path: str, *, users: DataFrame, items: DataFrame) -> DataFrame:
    """The pairs of a file or table, with ids of the types and spelling that the users and items have.

    Parameters
    ----------
    path : a .csv or .tsv file with the header user_id,item_id (compressed or not), Parquet, the folder of a Delta
        table, or a table's name in the catalog. Other columns are ignored
    users, items : columns user_id and item_id, for their types

    Returns
    -------
    grain row; columns position bigint, user_id, item_id. Positions ascend with the rows of a file, with gaps; the order
    of the files of a folder or table is Spark's, the same at every reading

    Raises
    ------
    ConfigurationError : there is nothing at the path
    DataError : a column is missing, or a value cannot be an id of that type
    """
    rows = _read(spark, path)
    for name, known in (("user_id", users), ("item_id", items)):
        rows = _typed(rows, name, dict(known.dtypes)[name], path)
    return rows.select(F.monotonically_increasing_id().alias("position"), "user_id", "item_id")


def _read(spark: SparkSession, path: str) -> DataFrame:
    try:
        if delimited := _CSV.search(path):
            delimiter = "\t" if delimited[1] == "tsv" else ","
            return spark.read.csv(
                path, header=True, sep=delimiter, ignoreLeadingWhiteSpace=True, ignoreTrailingWhiteSpace=True
            )
        if _exists(path, "_delta_log"):
            return spark.read.format("delta").load(path)
        if _TABLE.fullmatch(path) and not _exists(path) and spark.catalog.tableExists(path):
            return spark.table(path)
        _check_parquet(path)
        return spark.read.parquet(path)
    except AnalysisException as error:
        if error.getCondition() == "PATH_NOT_FOUND":
            raise ConfigurationError(f"{path}: no such file, folder or table of pairs") from None
        if error.getCondition() == "UNABLE_TO_INFER_SCHEMA":
            raise DataError(f"{path}: {_ALLOWED}") from None
        raise


def _check_parquet(path: str) -> None:
    """Raise DataError for a file of another kind; Spark's error has no class of its own, and many lines."""
    filesystem, place = url_to_fs(path)
    if filesystem.isfile(place):
        with filesystem.open(place, "rb") as file:
            if file.read(4) != b"PAR1":
                raise DataError(f"{path}: {_ALLOWED}")


def _exists(path: str, *inside: str) -> bool:
    filesystem, place = url_to_fs(path)
    return bool(filesystem.exists("/".join([place.rstrip("/"), *inside])))


def _typed(rows: DataFrame, name: str, kind: str, path: str) -> DataFrame:
    given = dict(rows.dtypes)
    if name not in given:
        raise DataError(f"{path}: column {name} is missing among {', '.join(given) or 'none'}; {_ALLOWED}")
    if not given[name].startswith(_ID_TYPES):
        raise DataError(f"{path}: column {name} is {given[name]}, must be integers or strings")
    spelled = spelled_id(F.col(name), rows.schema[name].dataType)
    refused = rows.where(spelled.isNotNull() & id_as(spelled, kind).isNull()).select(spelled).first()
    if refused is not None:
        must_be = "integers as in the ratings" if kind == "bigint" else "text of one line"
        raise DataError(f"{path}: column {name} has {refused[0]!r}, must be {must_be}")
    return rows.withColumn(name, id_as(spelled, kind))


_ALLOWED = "must be CSV (.csv, .tsv), Parquet or a Delta table with the columns user_id and item_id"
