"""Small files of records, such as movies.csv: each read whole in one task by Python's csv module."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from itertools import islice
from typing import IO, Literal, NamedTuple

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from nightreel.errors import DataError
from nightreel.sources.files import RawFile
from nightreel.sources.lines.segments import FAULTS, Segment, open_lines
from nightreel.sources.source import UNREADABLE
from nightreel.sources.survey import BOM, quarantined_text

UTF8_OR_LATIN1 = "utf-8 or latin-1"
"""The encoding of files that are one or the other: a line that is no UTF-8 is Latin-1."""

_ROWS_PER_BATCH = 1_024
_MAX_HEADER_BYTES = 1_048_576
_STRAY_RETURN = "\uffff"  # stands for one within a line, where the csv module sees the record's end

FIRST_FIELDS = tuple(
    pa.schema({"file_id": pa.int32(), "position": pa.int64(), "line": pa.string(), "reason": pa.string()})
)
"""What the rows of every file of records begin with."""

Cells = Sequence[object]
"""A row without its file_id, in the order of the schema."""


class RecordReason(StrEnum):
    """Why a record is quarantined."""

    FIELDS = "not as many fields as the file's other records"
    QUOTE = "a quote that is not closed, or not written as those of its format"
    BINARY = "bytes that are no plain text"
    TOO_LONG = "longer than a record may be"
    HEADER = "a header without the columns that are read"
    NO_HEADER = "below a rejected header"


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a file's bytes become records.

    separator : one character; two or more only where nothing is quoted
    quoted : fields may stand in double quotes, and then hold separators and line feeds; else a line is a record
    header : the first record names the fields
    encoding : utf-8 or UTF8_OR_LATIN1
    escape : how a quote within a quoted field is written, `""` or `\\"`
    """

    separator: str
    quoted: bool
    header: bool
    encoding: str = "utf-8"
    escape: Literal["double", "backslash"] = "double"

    def __post_init__(self) -> None:
        if not self.separator or (self.quoted and len(self.separator) > 1):
            raise ValueError(f"separator {self.separator!r}: must be one character where fields are quoted")


class Record(NamedTuple):
    """A record: the offset of its first byte in the unpacked file, as much of its text as quarantine shows, what is
    wrong with it, and its fields."""

    position: int
    line: str
    reason: str | None
    fields: Sequence[str | None]


def parse_records(
    stream: IO[bytes], dialect: Dialect, *, width: int | None = None, max_record_bytes: int
) -> Iterator[Record]:
    """An unpacked file's records in their order, bad ones included, blank lines left out.

    A record has `width` fields; None: as many as the first good one. Those longer than `max_record_bytes`, the most
    that is held in memory, are rejected.
    """
    csv.field_size_limit(max(csv.field_size_limit(), max_record_bytes))  # the module's own bound, of a process
    separator = dialect.separator
    lines = _Lines(stream, dialect, max_record_bytes)
    records: Iterator[list[str]] = map(partial(_split, separator=separator), lines)
    if dialect.quoted:
        records = csv.reader(lines, delimiter=separator, strict=True)
    while True:
        position, lines.data = lines.position, b""
        fields: list[str] = []
        reason: str | None = None
        try:
            fields = next(records)
        except StopIteration:
            return
        except csv.Error:
            fields = _without_blanks(lines, separator)
            reason = None if fields else RecordReason.QUOTE
        except UnicodeDecodeError:
            reason = RecordReason.BINARY
        except OverflowError:
            reason = RecordReason.TOO_LONG
        blank = not lines.data.removeprefix(BOM).strip() and not (separator.isspace() and separator in lines.last)
        if reason is None and blank:
            continue
        if reason is None and width not in {None, len(fields)}:
            reason = RecordReason.FIELDS
        width = width or (None if reason else len(fields))
        line = quarantined_text(lines.data.rstrip(b"\r\n"))
        yield Record(position, line, reason, [field.replace(_STRAY_RETURN, "\r") for field in fields])


def _split(line: str, separator: str) -> list[str]:
    return line.rstrip("\r\n").split(separator)


class _Lines:
    """A stream's lines as text; `data` holds the bytes of those taken since a record began, `most` + 1 at most, and
    `last` the text of the last one."""

    def __init__(self, stream: IO[bytes], dialect: Dialect, most: int) -> None:
        self._stream, self._dialect, self._most = stream, dialect, most
        self.position, self.data, self.last = 0, b"", ""

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._stream.readline(self._most + 1 - len(self.data))
        if not line:
            raise StopIteration
        begins = self.position == 0
        self.position += len(line)
        self.data += line
        if len(self.data) > self._most:
            while line and not line.endswith(b"\n"):
                line = self._stream.readline(self._most)
                self.position += len(line)
            raise OverflowError
        self.last = self._text(line.removeprefix(BOM) if begins else line)
        return self.last

    def _text(self, line: bytes) -> str:
        if b"\0" in line:
            raise UnicodeDecodeError("utf-8", line, 0, 1, "zero bytes")
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError:
            if self._dialect.encoding != UTF8_OR_LATIN1:
                raise
            text = line.decode("latin-1")
        if self._dialect.quoted:
            bare = text.rstrip("\r\n")
            text = bare.replace("\r", _STRAY_RETURN) + text[len(bare) :]
        return _doubled(text, self._dialect.separator) if self._dialect.escape == "backslash" else text


def _doubled(text: str, separator: str) -> str:
    """A line whose quotes are escaped by backslashes, with doubled ones, as the csv module reads without touching other
    backslashes; raises csv.Error where quotes are doubled already."""
    marked = re.sub(r'\\(["\\])', lambda found: "\ufffe" if found[1] == '"' else "\ufdd0", text)
    if re.search(rf'[^{re.escape(separator)}]""|""[^{re.escape(separator)}\r\n]', marked):
        raise csv.Error("a doubled quote")
    return marked.replace("\ufffe", '""').replace("\ufdd0", "\\")


def _without_blanks(lines: _Lines, separator: str) -> list[str]:
    """The fields of a record in one line with blanks behind closing quotes; none where that is not what is wrong."""
    text = re.sub(rf'"[ \t]+(?={re.escape(separator)}|[\r\n]*$)', '"', lines.last)
    try:
        return next(csv.reader([text], delimiter=separator, strict=True)) if lines.data.count(b"\n") < 2 else []
    except csv.Error:
        return []


def read_columns(
    stream: IO[bytes], dialect: Dialect, names: Sequence[str], *, optional: Collection[str] = (), max_record_bytes: int
) -> Iterator[Record]:
    """The records of an unpacked file (see `parse_records`), their fields in the order of `names`, null in bad ones.

    `names` are the columns to read, the first of several with the same name; without a header all of a record's fields.
    A header that lacks one is rejected, and so is what stands below it; those of `optional` are null then.
    """
    width = None if dialect.header else len(names)
    records = parse_records(stream, dialect, width=width, max_record_bytes=max_record_bytes)
    places: Sequence[int | None] = range(len(names))
    below: str | None = None
    nulls = [None] * len(names)
    if dialect.header and (header := next(records, None)):
        known = {name: place for place, name in reversed([*enumerate(_names(header))])}
        places = [known.get(name) for name in names]
        if not {*names} <= {*known, *optional}:
            below = RecordReason.NO_HEADER
            yield header._replace(reason=header.reason or RecordReason.HEADER, fields=nulls)
    for one in records:
        reason = one.reason or below
        fields = nulls if reason else [None if at is None else one.fields[at] for at in places]
        yield one._replace(reason=reason, fields=fields)


def _names(header: Record) -> tuple[str, ...]:
    """The names in a file's first record, without blanks around them; none where it is bad."""
    return () if header.reason else tuple((name or "").strip() for name in header.fields)


def names_in_header(file: RawFile, dialect: Dialect) -> tuple[str, ...]:
    """The fields of a file's first record; none where it is empty or bad. Raises DataError where it cannot be read."""
    try:
        with open_lines(Segment(0, file.path, 0, 0)) as stream:
            return next(map(_names, parse_records(stream, dialect, max_record_bytes=_MAX_HEADER_BYTES)), ())
    except FAULTS as error:
        raise DataError(f"{file.path}: {UNREADABLE}: {error}") from None


def read_records(
    spark: SparkSession,
    files: Mapping[int, RawFile],
    dialect: Dialect,
    columns: Sequence[str],
    *,
    optional: Collection[str] = (),
    max_record_bytes: int,
) -> DataFrame:
    """The records of files that have the same columns; `columns` are the `names` of `read_columns`.

    Grain record, bad ones included; file_id int, position bigint (offset of its first byte in the unpacked file),
    line string (its text, cut at 1,000 characters), reason string (null in good ones), then a string column for each
    of `columns`. A file that cannot be read to its end has a row more, with reason UNREADABLE.
    """

    def read(stream: IO[bytes]) -> Iterator[Cells]:
        for one in read_columns(stream, dialect, columns, optional=optional, max_record_bytes=max_record_bytes):
            yield (one.position, one.line, one.reason, *one.fields)

    # A file's column may be called as one of the first fields: the names are given once the rows are there.
    cells = [pa.field(f"cell{place}", pa.string()) for place in range(len(columns))]
    rows = read_files(spark, files, read, pa.schema([*FIRST_FIELDS, *cells]))
    return rows.toDF(*(field.name for field in FIRST_FIELDS), *columns)


def survey_of(records: DataFrame) -> DataFrame:
    """What a survey tells of records (columns file_id, position, line, reason; without a reason they are good): see
    nightreel.sources.source.SURVEY_COLUMNS. A record counts as one line, or as many as its column `lines` says."""
    lines = F.col("lines") if "lines" in records.columns else F.lit(1)
    shown = (F.when(F.col("reason").isNotNull(), F.col(name)).alias(name) for name in ("position", "line"))
    return records.select("file_id", *shown, "reason", lines.cast("bigint").alias("lines"))


def read_files(
    spark: SparkSession, files: Mapping[int, RawFile], read: Callable[[IO[bytes]], Iterator[Cells]], schema: pa.Schema
) -> DataFrame:
    """The rows that `read`, which travels to the executors, makes of each file's unpacked bytes.

    Their schema begins with FIRST_FIELDS. A file that cannot be read to its end has a row more, with reason UNREADABLE.
    """
    paths = [(file_id, file.path) for file_id, file in sorted(files.items())]

    def rows_or_fault(file_id: int, path: str) -> Iterator[Sequence[object]]:
        try:
            with open_lines(Segment(0, path, 0, 0)) as stream:
                yield from ((file_id, *cells) for cells in read(stream))
        except FAULTS as error:  # what keeps the file from being read to its end comes last
            yield (file_id, -1, str(error), UNREADABLE, *[None] * (len(schema) - 4))

    def batches(places: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for file_id, path in (paths[place] for batch in places for place in batch.column(0).to_pylist()):
            rows = rows_or_fault(file_id, path)
            while some := list(islice(rows, _ROWS_PER_BATCH)):
                columns = zip(zip(*some, strict=True), schema.types, strict=True)
                yield pa.record_batch([pa.array(column, of_type) for column, of_type in columns], schema=schema)

    places = spark.range(0, len(paths), 1, max(1, len(paths)))
    return places.mapInArrow(batches, from_arrow_schema(schema))
