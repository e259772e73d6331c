"""Files of records, read as Python's csv module reads them; what is bad is told with its place, and nothing is lost."""

from __future__ import annotations

import csv
import gzip
import io
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightreel.errors import DataError
from nightreel.sources.files import RawFile
from nightreel.sources.records import (
    UTF8_OR_LATIN1,
    Dialect,
    Record,
    RecordReason,
    names_in_header,
    parse_records,
    read_columns,
)

QUOTED = Dialect(",", quoted=True, header=True)
BACKSLASH = Dialect(",", quoted=True, header=True, escape="backslash")
PLAIN = Dialect("::", quoted=False, header=False, encoding=UTF8_OR_LATIN1)
EXAMPLES = settings(max_examples=100, derandomize=True, deadline=None)
MOST = 200


def parse(data: bytes, dialect: Dialect = QUOTED, width: int | None = 3, most: int = MOST) -> list[Record]:
    return list(parse_records(io.BytesIO(data), dialect, width=width, max_record_bytes=most))


def told(data: bytes, dialect: Dialect = QUOTED, width: int | None = 3) -> list[object]:
    return [one.reason or list(one.fields) for one in parse(data, dialect, width)]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"1,2,3", [["1", "2", "3"]]),
        (b"\xef\xbb\xbf1,2,3\r\n\r\n  \n4,5,6\r\n", [["1", "2", "3"], ["4", "5", "6"]]),
        (b'1,"a, ""b""",3\n', [["1", 'a, "b"', "3"]]),
        (b'1,"a\r\nb\n\nc\rd",3\n4,5,6', [["1", "a\r\nb\n\nc\rd", "3"], ["4", "5", "6"]]),
        (b'1,5" disk,c"d\n', [["1", '5" disk', 'c"d']]),
        (b"1,a\rb,3\n", [["1", "a\rb", "3"]]),
        (b'1,a\rb,"3,4"\n', [["1", "a\rb", "3,4"]]),
        (b"1,2\n1,2,3,4\n1,2,3\n", [RecordReason.FIELDS, RecordReason.FIELDS, ["1", "2", "3"]]),
        (b"1,\xff,3\n1,\0,3\n1,2,3", [RecordReason.BINARY, RecordReason.BINARY, ["1", "2", "3"]]),
        (b"1,2," + b"x" * MOST + b"\n4,5,6\n", [RecordReason.TOO_LONG, ["4", "5", "6"]]),
        (b"x" * 5 * MOST, [RecordReason.TOO_LONG]),
        (b'"1" ,"a","b, c" \r\n', [["1", "a", "b, c"]]),
        (b'1,"a"b,3\n4,5,6\n', [RecordReason.QUOTE, ["4", "5", "6"]]),
        (b'1,"Bis zum \\"Ende\\" der",3\n4,5,6\n', [RecordReason.QUOTE, ["4", "5", "6"]]),
        (b'1,"open,3\n4,5,6\n7,"8",9\n1,2,3', [RecordReason.QUOTE, ["1", "2", "3"]]),
        (b'1,2,3\n1,"open,3\n4,5,6\n7,8,9', [["1", "2", "3"], RecordReason.QUOTE]),
        (b'1,"open,3\n' + b"4,5,6\n" * 50, [RecordReason.TOO_LONG, *[["4", "5", "6"]] * 18]),
        (b'1,"two\nlines"\n4,5,6', [RecordReason.FIELDS, ["4", "5", "6"]]),
        (b'1,"open,3\n\xff\n4,5,6', [RecordReason.BINARY, ["4", "5", "6"]]),
    ],
)
def test_records_of_quoted_files(data: bytes, expected: list[object]) -> None:
    assert told(data) == expected


def test_quotes_escaped_by_backslashes() -> None:
    good = b'1,"Bis zum \\"Ende\\" der",""\n2,"C:\\dir\\\\",AC\\DC\n3,"two\nlines \\"",x\n'
    expected = [["1", 'Bis zum "Ende" der', ""], ["2", "C:\\dir\\", "AC\\DC"], ["3", 'two\nlines "', "x"]]
    assert told(good, BACKSLASH) == expected
    assert told(b'1,"a ""b"" c",3\n4,5,6\n', BACKSLASH) == [RecordReason.QUOTE, ["4", "5", "6"]]


def test_without_quoting_a_line_is_a_record() -> None:
    data = 'é::"2::3\r\n'.encode() + b"Am\xe9lie::2::3\n1::2\n1:2:3::4::5"
    expected = [["é", '"2', "3"], ["Amélie", "2", "3"], RecordReason.FIELDS, ["1:2:3", "4", "5"]]
    assert told(data, PLAIN) == expected
    tabs = Dialect("\t", quoted=False, header=False)
    assert told(b"\t\t\n \n\n", tabs) == [["", "", ""]]


def test_the_first_good_record_says_how_many_fields_there_are() -> None:
    bad = RecordReason.BINARY
    assert told(b"\xff\na,b\n1,2\n1\n", width=None) == [bad, ["a", "b"], ["1", "2"], RecordReason.FIELDS]


def test_rejects_tell_where_they_begin_and_what_they_hold() -> None:
    rejects = [one for one in parse(b'1,2,3\n1,"a\nb\n"x\n4\n' + b"y" * 300 + b"\n5,6") if one.reason]
    assert [(one.position, one.line[:8]) for one in rejects] == [
        (6, '1,"a\nb\n"'),
        (16, "4"),
        (18, "y" * 8),
        (319, "5,6"),
    ]


@pytest.mark.parametrize(("separator", "quoted"), [("", False), ("::", True)])
def test_separators_that_cannot_be(separator: str, quoted: bool) -> None:
    with pytest.raises(ValueError, match="must be"):
        Dialect(separator, quoted=quoted, header=True)


FIELDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12) | st.text(' ,"\r\nab', max_size=8)


@EXAMPLES
@given(st.integers(2, 4).flatmap(lambda n: st.lists(st.lists(FIELDS, min_size=n, max_size=n), min_size=1)), st.data())
def test_well_formed_files_are_read_as_the_csv_module_reads_them(rows: list[list[str]], data: st.DataObject) -> None:
    written = io.StringIO(newline="")
    quoting = data.draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    writer = csv.writer(written, quoting=quoting, lineterminator=data.draw(st.sampled_from(["\r\n", "\r\n\r\n"])))
    writer.writerows([["a"] * len(rows[0]), *rows])
    text = written.getvalue()
    found = parse(text.encode(), width=None, most=1 << 20)
    assert [list(one.fields) for one in found] == [one for one in csv.reader(io.StringIO(text, newline="")) if one]


RUBBISH = st.lists(
    st.sampled_from([b'"', b",", b"\n", b"\r", b" ", b"a", b'""', b'",', b"\xff", b"\0", b'1,"', b"x" * 99])
)


@EXAMPLES
@given(RUBBISH.map(b"".join) | st.binary(), st.sampled_from([QUOTED, BACKSLASH, PLAIN]), st.sampled_from([None, 2, 3]))
def test_of_whatever_bytes_every_line_is_in_one_record(data: bytes, dialect: Dialect, width: int | None) -> None:
    positions = [one.position for one in parse(data, dialect, width)]
    assert positions == sorted(set(positions))
    starts = {0, *(at + 1 for at in range(len(data)) if data[at : at + 1] == b"\n")}
    assert {*positions} <= starts
    first = next((at for at in sorted(starts) if data[at:].split(b"\n")[0].removeprefix(b"\xef\xbb\xbf").strip()), None)
    assert first is None or positions[0] == first


GOOD = [b"7,Heat,Crime\n", b'8,"American President, The",Drama\n', b'9,"say ""hi""",\n']


@EXAMPLES
@given(st.data())
def test_a_bad_record_leaves_those_before_it_and_those_from_its_closing_quote_on(data: st.DataObject) -> None:
    broken = data.draw(st.sampled_from([b'5,"Open,Crime', b'5,"Open', b"5,\xff,", b"5,,,,"]))
    place = data.draw(st.integers(0, 9))
    lines = [GOOD[i % 3] for i in range(10)]
    found = parse(b"".join([*lines[:place], broken + b"\n", *lines[place:]]), most=1_000)
    kept = [one.position for one in found if not one.reason]
    assert kept[:place] == [sum(map(len, lines[:at])) for at in range(place)]
    assert len(kept) >= (10 if b'"' not in broken else place + max(0, 10 - place - 3))


def test_real_files_are_read_as_the_csv_module_reads_them(real_data: Path) -> None:
    for path in ("movies-metadata/movies_metadata.csv", "ml-latest-small/movies.csv", "ml-latest-small/tags.csv"):
        with (real_data / path).open("rb") as stream:
            records = list(parse_records(stream, QUOTED, max_record_bytes=1 << 20))
        with (real_data / path).open(encoding="utf-8", newline="") as text:
            assert [list(one.fields) for one in records] == list(csv.reader(text))
        assert not any(one.reason for one in records)


@settings(EXAMPLES, max_examples=60)
@given(data=st.data())
def test_changed_real_lines_leave_those_before_them(data: st.DataObject, real_data: Path) -> None:
    whole = (real_data / "ml-latest-small/movies.csv").read_bytes().splitlines(keepends=True)[1:30]
    victim = data.draw(st.integers(0, len(whole) - 1))
    at = data.draw(st.integers(0, len(whole[victim]) - 1))
    piece = data.draw(st.binary(max_size=3) | st.sampled_from([b'"', b"\n", b'",', b"\r"]))
    changed = whole[victim][:at] + piece + whole[victim][at + 1 :]
    text = b"".join([*whole[:victim], changed, *whole[victim + 1 :]])
    before = sum(map(len, whole[:victim]))
    assert [one.position for one in parse(text, most=1 << 20) if one.position < before] == [
        sum(map(len, whole[:number])) for number in range(victim)
    ]


def values(data: bytes, names: list[str], dialect: Dialect = QUOTED, optional: tuple[str, ...] = ()) -> list[object]:
    found = read_columns(io.BytesIO(data), dialect, names, optional=optional, max_record_bytes=1_000)
    return [one.reason or list(one.fields) for one in found]


def test_columns_come_by_name_in_the_order_asked_for_or_by_place() -> None:
    data = b"\xef\xbb\xbfid, title ,id\r\n1,Heat,9\r\n2\r\n"
    assert values(data, ["title", "id", "year"], optional=("year",)) == [["Heat", "1", None], RecordReason.FIELDS]
    plain = Dialect("|", quoted=False, header=False)
    assert values(b"1|Heat\n2|Casino|x\n", ["id", "title"], plain) == [["1", "Heat"], RecordReason.FIELDS]


@pytest.mark.parametrize("header", [b"id,name\n", b"\xff\n"])
def test_a_header_without_the_columns_is_rejected_with_all_below_it(header: bytes) -> None:
    first = RecordReason.HEADER if header.startswith(b"id") else RecordReason.BINARY
    assert values(header + b"1,Heat\n\xff\n2,Casino\n", ["id", "title"]) == [
        first,
        RecordReason.NO_HEADER,
        RecordReason.BINARY,
        RecordReason.NO_HEADER,
    ]


def test_an_empty_file_holds_nothing() -> None:
    assert values(b"", ["id"]) == values(b"\r\n\n", ["id"]) == values(b"id\n", ["id"]) == []


def test_a_record_keeps_what_quarantine_would_show_of_it() -> None:
    (row,) = islice(parse(b'1,"' + b"x" * 500 + b"\n" + b"y" * 990 + b'"\n', width=2, most=9_999), 1)
    assert (row.position, row.line[:4], len(row.line)) == (0, '1,"x', 1_000)


def test_the_names_in_a_files_header(tmp_path: Path) -> None:
    packed = tmp_path / "movies.csv.gz"
    packed.write_bytes(gzip.compress(b'id,"the ""title"""\n1,Heat\n'))
    assert names_in_header(RawFile(str(packed), 0, None), QUOTED) == ("id", 'the "title"')
    (tmp_path / "empty").touch()
    assert names_in_header(RawFile(str(tmp_path / "empty"), 0, None), QUOTED) == ()
    with pytest.raises(DataError, match=r"none: the file cannot be read: .*No such file"):
        names_in_header(RawFile(str(tmp_path / "none"), 0, None), QUOTED)
