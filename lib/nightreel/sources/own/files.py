"""Which files and tables are a user's own data, of which kind each is, and which columns it has."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from functools import lru_cache
from itertools import islice

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from fsspec.core import url_to_fs
from pyspark.sql import SparkSession

from nightreel.errors import ConfigurationError, DataError
from nightreel.settings import DataSettings
from nightreel.sources.files import PARTITIONS, RawFile, find, open_bytes
from nightreel.sources.lines.segments import FAULTS, Segment, open_lines
from nightreel.sources.records import UTF8_OR_LATIN1, Dialect, names_in_header
from nightreel.sources.source import UNREADABLE

_CATALOG_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*){1,2}")
_JSON = (".jsonl", ".ndjson", ".json")
_PARQUET = ".parquet"
_LOG = "/_delta_log"
_COMMIT = re.compile(r"[0-9]{20}\.json")
_LOOKED_FOR = "*.csv, *.tsv, *.jsonl, *.ndjson, *.json (each also as .gz), *.parquet, or a Delta table"
_LINES_LOOKED_AT = 100
_COLUMNS_SHOWN = 30
_FILES_KNOWN = 4_096
_SEPARATORS = (",", ";", "\t", "|", "::")
_NUMBER = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?")
_SPARK_TYPES = (
    (r"u?int(8|16)|int32|null", "int"), (r"uint32|int64", "bigint"), (r"uint64", "decimal(20,0)"), (r"bool", "boolean"),
    (r"float|double|binary|string", r"\g<0>"), (r"large_(string|binary)", r"\1"), (r"date32\[day\]", "date"),
    (r"decimal\d+(\(\d+, \d+\))", r"decimal\1"), (r"timestamp\[ns.*", "bigint"),
    (r"timestamp\[\w+, tz=.*", "timestamp"), (r"timestamp\[\w+\]", "timestamp_ntz"),
    (r"(large_)?list<\w+: (large_)?string>", "array<string>"),
)  # fmt: skip
"""The Spark type that each Arrow type in a Parquet file is read as; nanoseconds as bigint."""


class Kind(StrEnum):
    """The kind of a file, by its name; CSV if the name does not tell."""

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
    name = _bare(file.name)
    return Kind.JSON if name.endswith(_JSON) else Kind.PARQUET if name.endswith(_PARQUET) else Kind.CSV


def separator_of(file: RawFile, data: DataSettings) -> str:
    """What stands between the fields of a CSV file: a tab in a .tsv, else as the settings say."""
    return "\t" if _bare(file.name).endswith(".tsv") else data.separator


def partitions_of(file: RawFile) -> dict[str, str]:
    """The columns that the file's folders name (`year=2024/`), with their values as written."""
    named = (part.partition("=") for part in file.folder.split("/"))
    return {name: value for name, equals, value in named if name and equals}


def find_data(paths: Sequence[str], *, setting: str, archives: bool = False) -> list[RawFile]:
    """The files and tables that paths, globs and catalog names name, each once, in the order of their paths.

    In a folder, those in its partitions (`year=2024/`) count too. A Delta table counts as one file: the path is that
    of its log (or its name in the catalog), the size its version, the time that of the version. Before there is a
    Spark session a catalog is not looked into. With `archives`, CSV in zip archives counts (Spark cannot read it).
    Raises ConfigurationError where a path does not exist, a glob matches nothing, or Spark cannot read a file, and
    DataError where no data is there.
    """
    found: dict[str, RawFile] = {}
    for path in paths:
        files = _find(path, setting)
        if not files:
            raise DataError(f"{setting}: {path}: no data there; looked for {_LOOKED_FOR}")
        for file in files:
            kind = kind_of(file)
            if "::" in file.path and not (archives and kind is Kind.CSV):
                why = "unpack the archive: own data is not read from within one"
                raise ConfigurationError(f"{setting}: {file.path}: {why}")
            if file.name.startswith((".", "_")) and kind is not Kind.DELTA:
                raise ConfigurationError(f"{setting}: {file.path}: rename it: Spark passes over names that begin so")
            found[file.path] = file
    return [found[path] for path in sorted(found)]


@lru_cache(_FILES_KNOWN)  # asked by every way of reading the file
def columns_of(file: RawFile, data: DataSettings) -> Mapping[str, str] | None:
    """The file's columns in their order, those of its partitions first, with their types, which partitions lack.

    Of JSON lines those that the first hundred have; of CSV without a header the places, from 1. None: a table that
    cannot be looked into without Spark. Raises DataError where the file cannot be read, or has no columns.
    """
    kind = kind_of(file)
    try:
        if kind in {Kind.CSV, Kind.JSON}:
            with open_lines(Segment(0, file.path, 0, file.size)) as stream:
                begins = stream.read(_LINES_LOOKED_AT)
            if begins.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in begins:
                raise DataError(f"{file.path}: is UTF-16, or no text at all: save it as UTF-8")
            names = csv_columns(file, data) if kind is Kind.CSV else _keys(file)
            columns: Mapping[str, str] | None = dict.fromkeys(names, "string")
        else:
            columns = _of_parquet(file) if kind is Kind.PARQUET else _of_table(file)
    except (*FAULTS, pa.ArrowInvalid) as error:
        raise DataError(f"{file.path}: {UNREADABLE}: {error}") from None
    if columns is not None and not columns:
        raise DataError(f"{file.path}: has no columns: it is empty, or no {kind}")
    return columns and {**dict.fromkeys(partitions_of(file), ""), **columns}


@lru_cache(_FILES_KNOWN)
def csv_columns(file: RawFile, data: DataSettings) -> tuple[str, ...]:
    """The names in the first record of a CSV file, of which some may be the same; without a header, their places."""
    names = names_in_header(file, csv_dialect(file, data))
    return names if data.header else tuple(str(place) for place in range(1, len(names) + 1))


def csv_dialect(file: RawFile, data: DataSettings) -> Dialect:
    """How Python reads the file. Fields that more than one sign separates are not quoted."""
    separator = separator_of(file, data)
    return Dialect(separator, len(separator) == 1, data.header, encoding=UTF8_OR_LATIN1, escape=data.escape)


def check_columns(file: RawFile, data: DataSettings, wanted: Mapping[str, str], *, setting: str) -> None:
    """Raise ConfigurationError for the first of `wanted`, names by their setting's last word, that is no column.

    Also where a column is of a type that cannot be read. Where another separator or a missing header explains it, the
    line says so.
    """
    columns = columns_of(file, data)
    if columns is None:
        return
    missing = [role for role, name in wanted.items() if name not in columns]
    if missing:
        names = [*columns]
        more = f" and {len(names) - _COLUMNS_SHOWN} more" if len(names) > _COLUMNS_SHOWN else ""
        raise ConfigurationError(
            f"{setting}.{missing[0]} = {wanted[missing[0]]!r}: no such column in {file.path}; "
            f"it has {', '.join(names[:_COLUMNS_SHOWN])}{more}{_explained(file, data, wanted)}"
        )
    if len(set(wanted.values())) < len(wanted):
        raise ConfigurationError(f"{setting}: {dict(wanted)}: two of these are the same column")
    for role, name in wanted.items() if kind_of(file) is Kind.PARQUET else ():
        if columns[name] and spark_type(columns[name]) is None:
            has = f"{file.path} has it as {columns[name]}, which cannot be read"
            raise ConfigurationError(f"{setting}.{role} = {name!r}: {has}")


def spark_type(arrow: str) -> str | None:
    """See _SPARK_TYPES; None: a column of this type cannot be read."""
    arrow = re.sub(r"dictionary<values=(.*), indices=.*", r"\1", arrow)
    return next((re.sub(of, to, arrow) for of, to in _SPARK_TYPES if re.fullmatch(of, arrow)), None)


def _explained(file: RawFile, data: DataSettings, wanted: Mapping[str, str]) -> str:
    """What to set where the file is CSV of another form than the settings say."""
    if kind_of(file) is not Kind.CSV:
        return ""
    for separator in _SEPARATORS:
        other = data.model_copy(update={"separator": separator})
        if separator != data.separator and {*wanted.values()} <= {*csv_columns(file, other)}:
            return f"; with another separator it has them: --set data.separator={json.dumps(separator)}"
    names = csv_columns(file, data)
    if data.header and not {*wanted.values()} & {*names} and any(_NUMBER.fullmatch(name) for name in names):
        return (
            "; no header: the first line looks like data; --set data.header=false, and name columns by place: "
            "--set 'data.columns.user=\"1\"'"
        )
    return ""


def _find(path: str, setting: str) -> list[RawFile]:
    is_there, log = _exists(path), f"{path.rstrip('/')}{_LOG}"
    if is_there and _exists(log):
        commits = find(log, setting=setting, in_folder=lambda name: bool(_COMMIT.fullmatch(name)))
        if not commits:
            raise DataError(f"{setting}: {path.rstrip('/')}: a Delta table without a commit")
        return [RawFile(commits[-1].folder, int(commits[-1].name[:20]), commits[-1].modified_at)]
    if not is_there and _CATALOG_NAME.fullmatch(path) and not _is_data(path):
        return [_in_catalog(path)]
    return find(path, setting=setting, in_folder=_is_data, below=("", PARTITIONS))


def _exists(path: str) -> bool:
    try:
        store, place = url_to_fs(path)
        return bool(store.exists(place))
    except (ValueError, ImportError):
        return False


def _bare(name: str) -> str:
    return name.removesuffix(".gz").lower()


def _is_data(name: str) -> bool:
    return _bare(name).endswith((".csv", ".tsv", *_JSON, _PARQUET)) and not name.startswith((".", "_"))


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


def _keys(file: RawFile) -> Sequence[str]:
    found: dict[str, None] = {}
    with open_lines(Segment(0, file.path, 0, file.size)) as stream:
        for line in islice(iter(lambda: stream.readline(1_048_576), b""), _LINES_LOOKED_AT):
            with suppress(ValueError, RecursionError):
                record = json.loads(line.removeprefix(b"\xef\xbb\xbf"))
                found |= dict.fromkeys(record if isinstance(record, dict) else ())
    return [*found]


def _of_parquet(file: RawFile) -> Mapping[str, str]:
    """Times in nanoseconds are distinguished from those of 96 bits, which Arrow calls the same and Spark reads."""
    with open_bytes(file.path) as stream, pq.ParquetFile(stream) as parquet:
        columns = {field.name: str(field.type) for field in parquet.schema_arrow}
        leaves = [parquet.schema.column(place) for place in range(len(parquet.schema))]
    return columns | {leaf.path: "timestamp[us, tz=UTC]" for leaf in leaves if leaf.physical_type == "INT96"}


def _of_table(file: RawFile) -> Mapping[str, str] | None:
    if kind_of(file) is Kind.DELTA:
        with suppress(DeltaError, OSError):  # Spark may have ways to the table that delta-rs lacks
            fields = DeltaTable(file.folder).schema().fields
            return {field.name: getattr(field.type, "type", "nested") for field in fields}
    spark = SparkSession.getActiveSession()
    if spark is None:
        return None
    return dict((spark.read.format("delta").load(file.folder) if "/" in file.path else spark.table(file.path)).dtypes)
