"""Which columns of a file's records are read, and what a header that lacks them does to the file."""

from __future__ import annotations

import gzip
import io
from collections.abc import Sequence
from pathlib import Path

import pytest

from nightreel.errors import DataError
from nightreel.sources.files import RawFile
from nightreel.sources.records import Dialect, RecordReason, names_in_header
from nightreel.sources.records.columns import Columns, Row, read_columns
from nightreel.sources.survey import Rejected

CSV = Dialect(",", quoted=True, header=True)


def read(data: bytes, columns: Columns, dialect: Dialect = CSV) -> list[Row | Rejected]:
    return list(read_columns(io.BytesIO(data), dialect, columns, max_record_bytes=1_000))


def values(data: bytes, columns: Columns, dialect: Dialect = CSV) -> list[Sequence[str | None] | str]:
    return [one.values if isinstance(one, Row) else one.reason for one in read(data, columns, dialect)]


def test_columns_come_by_name_in_the_order_asked_for() -> None:
    data = b"\xef\xbb\xbfid, title ,id\r\n1,Heat,9\r\n2\r\n"
    columns = Columns(["title", "id", "year"], optional=["year"])
    assert values(data, columns) == [["Heat", "1", None], RecordReason.FIELDS]


def test_without_a_header_columns_come_by_place() -> None:
    plain = Dialect("|", quoted=False, header=False)
    assert values(b"1|Heat\n2|Casino|x\n", Columns(["id", "title"]), plain) == [["1", "Heat"], RecordReason.FIELDS]


@pytest.mark.parametrize("header", [b"id,name\n", b"\xff\n"])
def test_a_header_without_the_columns_is_rejected_with_all_below_it(header: bytes) -> None:
    told = values(header + b"1,Heat\n\xff\n2,Casino\n", Columns(["id", "title"]))
    first = RecordReason.HEADER if header.startswith(b"id") else RecordReason.BINARY
    assert told == [first, RecordReason.NO_HEADER, RecordReason.BINARY, RecordReason.NO_HEADER]


def test_an_empty_file_holds_nothing() -> None:
    assert read(b"", Columns(["id"])) == read(b"\r\n\n", Columns(["id"])) == read(b"id\n", Columns(["id"])) == []


def test_a_row_keeps_what_quarantine_would_show_of_it() -> None:
    (row,) = read(b'id,title\n1,"' + b"x" * 500 + b"\n" + b"y" * 490 + b'"\n', Columns(["id", "title"]))
    assert (row.position, row.line[:4], len(row.line)) == (9, '1,"x', 995)


def test_the_names_in_a_files_header(tmp_path: Path) -> None:
    packed = tmp_path / "movies.csv.gz"
    packed.write_bytes(gzip.compress(b'id,"the ""title"""\n1,Heat\n'))
    assert names_in_header(RawFile(str(packed), 0, None), CSV) == ("id", 'the "title"')
    (tmp_path / "empty").touch()
    assert names_in_header(RawFile(str(tmp_path / "empty"), 0, None), CSV) == ()
    with pytest.raises(DataError, match=r"none: the file cannot be read: .*No such file"):
        names_in_header(RawFile(str(tmp_path / "none"), 0, None), CSV)
