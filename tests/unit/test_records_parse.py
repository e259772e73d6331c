"""Lines to records: as Python's csv module reads well-formed files, and with no good line lost to a bad one."""

from __future__ import annotations

import csv
import io
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightreel.sources.records import UTF8_OR_LATIN1, Dialect, Record, RecordReason, parse_records
from nightreel.sources.survey import Rejected

QUOTED = Dialect(",", quoted=True, header=True)
PLAIN = Dialect("::", quoted=False, header=False, encoding=UTF8_OR_LATIN1)
EXAMPLES = settings(max_examples=300, derandomize=True, deadline=None)
MOST = 200


def parse(data: bytes, dialect: Dialect = QUOTED, width: int | None = 3) -> list[Record | Rejected]:
    return list(parse_records(io.BytesIO(data), dialect, width=width, max_record_bytes=MOST))


def told(data: bytes, dialect: Dialect = QUOTED, width: int | None = 3) -> list[object]:
    return [list(one.fields) if isinstance(one, Record) else one.reason for one in parse(data, dialect, width)]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"1,2,3", [["1", "2", "3"]]),
        (b"\xef\xbb\xbf1,2,3\r\n\r\n  \n4,5,6\r\n", [["1", "2", "3"], ["4", "5", "6"]]),
        (b'1,"a, ""b""",3\n', [["1", 'a, "b"', "3"]]),
        (b'1,"a\r\nb\n\nc\rd",3\n4,5,6', [["1", "a\r\nb\n\nc\rd", "3"], ["4", "5", "6"]]),
        (b'1,"a"b,c"d\n', [["1", "ab", 'c"d']]),
        (b"1,a\rb,3\n", [["1", "a\rb", "3"]]),
        (b'1,a\rb,"3,4"\n', [["1", "a b", "3,4"]]),
        (b"1,2\n1,2,3,4\n1,2,3\n", [RecordReason.FIELDS, RecordReason.FIELDS, ["1", "2", "3"]]),
        (b"1,\xff,3\n1,\0,3\n1,2,3", [RecordReason.BINARY, RecordReason.BINARY, ["1", "2", "3"]]),
        (b"1,2," + b"x" * MOST + b"\n4,5,6\n", [RecordReason.TOO_LONG, ["4", "5", "6"]]),
        (b"x" * 5 * MOST, [RecordReason.TOO_LONG]),
        (b'1,"open,3\n4,5,6\n7,"8",9', [RecordReason.QUOTE, ["4", "5", "6"], ["7", "8", "9"]]),
        (b'1,"open,3\n4,5,6\n7,8,9', [RecordReason.QUOTE, ["4", "5", "6"], ["7", "8", "9"]]),
        (b'1,"open,3\n' + b"4,5,6\n" * 50, [RecordReason.QUOTE, *[["4", "5", "6"]] * 50]),
        (b'1,"two\nlines"\n4,5,6', [RecordReason.QUOTE, RecordReason.FIELDS, ["4", "5", "6"]]),
        (b'1,"open,3\n\xff\n4,5,6', [RecordReason.QUOTE, RecordReason.BINARY, ["4", "5", "6"]]),
        (b'1,"one",2\n3,"cut o', [["1", "one", "2"], RecordReason.QUOTE]),
    ],
)
def test_records_of_quoted_files(data: bytes, expected: list[object]) -> None:
    assert told(data) == expected


def test_without_quoting_a_line_is_a_record() -> None:
    data = 'é::"2::3\r\n'.encode() + b"Am\xe9lie::2::3\n1::2\n1:2:3::4::5"
    expected = [["é", '"2', "3"], ["Amélie", "2", "3"], RecordReason.FIELDS, ["1:2:3", "4", "5"]]
    assert told(data, PLAIN) == expected


def test_a_line_of_separators_is_no_blank_line() -> None:
    tabs = Dialect("\t", quoted=False, header=False)
    assert told(b"\t\t\n \n\n", tabs) == [["", "", ""]]


def test_the_first_good_record_says_how_many_fields_there_are() -> None:
    assert told(b"\xff\na,b\n1,2\n1\n", width=None) == [
        RecordReason.BINARY,
        ["a", "b"],
        ["1", "2"],
        RecordReason.FIELDS,
    ]


def test_rejects_tell_where_their_line_stands() -> None:
    rejects = [one for one in parse(b'1,2,3\n1,"a\nb\n\n4') if isinstance(one, Rejected)]
    assert [(one.position, one.line) for one in rejects] == [(6, '1,"a'), (11, "b"), (14, "4")]


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
    records = parse_records(io.BytesIO(text.encode()), QUOTED, width=None, max_record_bytes=1 << 20)
    expected = [fields for fields in csv.reader(io.StringIO(text, newline="")) if fields]
    assert [list(one.fields) for one in records if isinstance(one, Record)] == expected


RUBBISH = st.lists(
    st.sampled_from([b'"', b",", b"\n", b"\r", b" ", b"a", b'""', b'",', b"\xff", b"\0", b'1,"', b"x" * 99])
)


@EXAMPLES
@given(RUBBISH.map(b"".join) | st.binary(), st.sampled_from([QUOTED, PLAIN]), st.sampled_from([None, 2, 3]))
def test_records_and_rejects_account_for_every_line(data: bytes, dialect: Dialect, width: int | None) -> None:
    account_for_every_line(data, parse(data, dialect, width))


GOOD = [b"7,Heat,Crime\n", b'8,"American President, The",Drama\n', b'9,"say ""hi""",\n']


@EXAMPLES
@given(st.lists(st.sampled_from(GOOD) | RUBBISH.map(b"".join).map(lambda line: line + b"\n")))
def test_good_lines_among_rubbish_survive(pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    kept = [one for one in parse(data) if isinstance(one, Record)]
    position = 0
    for piece in pieces:
        if piece in GOOD:
            assert any(one.position <= position < one.position + len(one.data) for one in kept)
        position += len(piece)


@EXAMPLES
@given(st.data())
def test_a_broken_line_takes_no_other_with_it(data: st.DataObject) -> None:
    broken = data.draw(st.sampled_from([b'5,"Open,Crime', b'5,"Open', b'"', b"5,\xff,", b"5,,,,"]))
    place = data.draw(st.integers(0, 9))
    lines = [GOOD[i % 3] for i in range(10)]
    found = parse(b"".join([*lines[:place], broken + b"\n", *lines[place:]]))
    assert [one.data for one in found if isinstance(one, Record)] == lines
    assert sum(isinstance(one, Rejected) for one in found) == 1


@pytest.fixture(scope="module")
def real_records(real_data: Path) -> list[list[Record]]:
    """Some of MovieLens' titles and of the films' metadata."""
    files = [real_data / path for path in ("ml-latest-small/movies.csv", "movies-metadata/movies_metadata.csv")]
    found = (
        parse_records(io.BytesIO(file.read_bytes()), QUOTED, width=None, max_record_bytes=1 << 20) for file in files
    )
    return [[one for one in islice(records, 1_008) if isinstance(one, Record)] for records in found]


@settings(EXAMPLES, max_examples=100)
@given(data=st.data())
def test_changed_real_lines_are_accounted_for_and_leave_the_others(
    real_records: list[list[Record]], data: st.DataObject
) -> None:
    start = data.draw(st.integers(1, 1_000))
    records = data.draw(st.sampled_from(real_records))[start : start + 8]
    width = len(records[0].fields)
    whole = [one.data for one in records]
    victim = data.draw(st.integers(0, len(whole) - 1))
    at = data.draw(st.integers(0, len(whole[victim]) - 1))
    piece = data.draw(st.binary(max_size=3) | st.sampled_from([b'"', b"\n", b'",', b"\r"]))
    changed = whole[victim][:at] + piece + whole[victim][at + data.draw(st.integers(0, 4)) :]
    text = b"".join([*whole[:victim], changed, *whole[victim + 1 :]])
    found = list(parse_records(io.BytesIO(text), QUOTED, width=width, max_record_bytes=1 << 20))
    account_for_every_line(text, found)
    kept = [one.data for one in found if isinstance(one, Record)]
    assert kept[:victim] == whole[:victim]
    assert set(whole[victim + 2 :]) <= set(kept)  # its own line feed may be gone, and so the next line part of it


def test_real_files_are_read_as_the_csv_module_reads_them(real_data: Path) -> None:
    for path in ("movies-metadata/movies_metadata.csv", "ml-latest-small/movies.csv", "ml-latest-small/tags.csv"):
        with (real_data / path).open("rb") as stream:
            records = list(parse_records(stream, QUOTED, width=None, max_record_bytes=1 << 20))
        with (real_data / path).open(encoding="utf-8", newline="") as text:
            assert [list(one.fields) for one in records if isinstance(one, Record)] == list(csv.reader(text))
        assert not any(isinstance(one, Rejected) for one in records)


def account_for_every_line(data: bytes, found: list[Record | Rejected]) -> None:
    """Records cover their bytes, rejects a line each; what neither covers is blank."""
    at = 0
    for one in found:
        assert not data[at : one.position].strip(b"\xef\xbb\xbf \t\r\n\v\f")
        mark = 3 if one.position == 0 and data.startswith(b"\xef\xbb\xbf") else 0
        end = data.find(b"\n", one.position) + 1 or len(data)
        at = one.position + mark + len(one.data) if isinstance(one, Record) else end
    assert not data[at:].strip(b"\xef\xbb\xbf \t\r\n\v\f")
