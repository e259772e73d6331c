"""Which files and tables are a user's own data, and of which kind each is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum

from fsspec.core import url_to_fs
from pyspark.sql import SparkSession

from nightreel.errors import ConfigurationError, DataError
from nightreel.sources.files import RawFile, find

_CATALOG_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*){1,2}")
_TEXT = (".csv", ".tsv")
_JSON = (".jsonl", ".ndjson", ".json")
_PARQUET = ".parquet"
_LOG = "/_delta_log"
_COMMIT = re.compile(r"[0-9]{20}\.json")
_LOOKED_FOR = "*.csv, *.tsv, *.jsonl, *.ndjson, *.json (each also as .gz), *.parquet, or a Delta table"


class Kind(StrEnum):
    """What a file is: by its name, or CSV where its name tells nothing."""

    CSV = "CSV"
    JSON = "JSON lines"
    PARQUET = "Parquet"
    DELTA = "Delta table"
    CATALOG = "table in the catalog"


def kind_of(file: RawFile) -> Kind:
    if "/" not in file.path:
        return Kind.CATALOG
    if file.path.endswith(_LOG):
        return Kind.DELTA
    name = file.name.lower().removesuffix(".gz")
    return Kind.JSON if name.endswith(_JSON) else Kind.PARQUET if name.endswith(_PARQUET) else Kind.CSV


def separator_of(file: RawFile, separator: str) -> str:
    """What stands between the fields of a CSV file: a tab in a .tsv, else as the settings say."""
    return "\t" if file.name.lower().removesuffix(".gz").endswith(".tsv") else separator


def find_data(paths: Sequence[str], *, setting: str) -> list[RawFile]:
    """The files and tables that paths, globs and catalog names name, each once, in the order of their paths.

    A Delta table counts as one file: the path is that of its log (or its name in the catalog), the size its version,
    the time that of the version. Before there is a Spark session a catalog is not looked into.

    Raises
    ------
    ConfigurationError : a path does not exist, a glob matches nothing, or Parquet lies in an archive
    DataError : no data is there
    """
    found: dict[str, RawFile] = {}
    for path in paths:
        files = _find(path, setting)
        packed = [file.path for file in files if "::" in file.path and kind_of(file) is Kind.PARQUET]
        if packed:
            raise ConfigurationError(f"{setting}: {packed[0]}: unpack the archive: Parquet is not read from within one")
        if not files:
            raise DataError(f"{setting}: {path}: no data there; looked for {_LOOKED_FOR}")
        found |= {file.path: file for file in files}
    return [found[path] for path in sorted(found)]


def _find(path: str, setting: str) -> list[RawFile]:
    if not _exists(path):
        name = _CATALOG_NAME.fullmatch(path)
        if name and not _is_data(path):
            return [_in_catalog(path)]
    elif _exists(f"{path.rstrip('/')}{_LOG}"):
        return [_newest(path.rstrip("/"), setting)]
    return find(path, setting=setting, in_folder=_is_data, in_glob=_is_data)


def _exists(path: str) -> bool:
    try:
        store, place = url_to_fs(path)
        return bool(store.exists(place))
    except (ValueError, ImportError):
        return False


def _is_data(name: str) -> bool:
    bare = name.lower().removesuffix(".gz")
    return bare.endswith((*_TEXT, *_JSON, _PARQUET)) and not name.startswith((".", "_"))


def _newest(folder: str, setting: str) -> RawFile:
    def is_commit(name: str) -> bool:
        return _COMMIT.fullmatch(name) is not None

    commits = find(f"{folder}{_LOG}", setting=setting, in_folder=is_commit, in_glob=is_commit)
    if not commits:
        raise DataError(f"{setting}: {folder}: a Delta table without a commit")
    return RawFile(commits[-1].folder, int(commits[-1].name[:20]), commits[-1].modified_at)


def _in_catalog(name: str) -> RawFile:
    spark = SparkSession.getActiveSession()
    if spark is None:
        return RawFile(name, 0, None)
    if not spark.catalog.tableExists(name):
        raise ConfigurationError(f"data.path: {name}: neither a file or folder nor a table in the catalog")
    newest = spark.sql(f"DESCRIBE HISTORY {name} LIMIT 1").select("version", "timestamp").first()
    if newest is None:
        raise DataError(f"data.path: {name}: a Delta table without a commit")
    return RawFile(name, int(newest[0]), newest[1].astimezone())
