"""Lines of ratings one by one: the definition that everything else is held against."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from nightreel.sources.delimited import RatingLines
from nightreel.sources.delimited.grammar import Grammar
from nightreel.sources.delimited.times import micros
from nightreel.sources.delimited.values import Entry, Reason

CSV = RatingLines(",", 4, user=0, item=1, rating=2, time=3, header=False, lowest=0.5, highest=5.0)
QUOTED = replace(CSV, quoted=True, ids="string")
EVENTS = RatingLines("\t", 3, user=1, item=0, rating=2, time=None, header=False, ids="string", above_zero=True)
JSON = replace(CSV, keys=("user", "item", "stars", "at"), ids="string")


def parse(form: RatingLines, line: bytes, position: int = 100) -> object:
    return Grammar(form, max_line_bytes=80).parse(line, position=position)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"1,296,5.0,1147880044", Entry(1, 296, 5.0, 1_147_880_044_000_000)),
        (b"0,007,.5,1147880044123\r", Entry(0, 7, 0.5, 1_147_880_044_123_000)),
        (b"1, 296 ,\t5e0, ", Entry(1, 296, 5.0, None)),
        (b"9223372036854775807,2,3,1970-01-02", Entry(2**63 - 1, 2, 3.0, 86_400_000_000)),
        (b"", None),
        (b" \t\r", None),
        (b"9223372036854775808,2,3,4", Reason.USER_NUMBER),
        (b"-1,2,3,4", Reason.USER_NUMBER),
        (b"1.0,2,3,4", Reason.USER_NUMBER),
        (b",2,3,4", Reason.NO_USER),
        (b"1, ,3,4", Reason.NO_ITEM),
        (b"1,0x2,3,4", Reason.ITEM_NUMBER),
        (b'"1",2,3,4', Reason.USER_NUMBER),
        (b"1,2,,4", Reason.RATING),
        (b"1,2,nan,4", Reason.RATING),
        (b"1,2,1_0,4", Reason.RATING),
        (b"1,2,0.4,4", Reason.SCALE),
        (b"1,2,5.000001,4", Reason.SCALE),
        (b"1,2,1e999,4", Reason.SCALE),
        (b"1,2,3,yesterday", Reason.TIME),
        (b"1,2,3", Reason.FIELDS),
        (b"1,2,3,4,", Reason.FIELDS),
        (b"1,2,3\x00,4", Reason.BINARY),
        (b"1,2,3,4\r1,2,3,4", Reason.BINARY),
        (b"\xef\xbb\xbf1,2,3,4", Reason.USER_NUMBER),
        (b"1,2,3,4" + b" " * 80, Reason.TOO_LONG),
    ],
)
def test_a_line_of_numbers(line: bytes, expected: object) -> None:
    assert parse(CSV, line) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'"anna","The ""Matrix"", 1999",4,', Entry("anna", 'The "Matrix", 1999', 4.0, None)),
        (b'"anna", "b" ,4,', Reason.QUOTES),
        (b'anna, "b","4",', Entry("anna", "b", 4.0, None)),
        ("김,né,4,".encode(), Entry("김", "né", 4.0, None)),
        (b'it"s,b,4,', Entry('it"s', "b", 4.0, None)),
        (b'"anna,b,4,', Reason.QUOTES),
        (b'"anna"x,b,4,', Reason.QUOTES),
        (b'"",b,4,', Reason.NO_USER),
        (b"a, ,4,", Reason.NO_ITEM),
        (b"ann\xe9,b,4,", Reason.USER_TEXT),
        (b"a\tb,c,4,", Reason.USER_TEXT),
    ],
)
def test_a_line_of_quoted_text(line: bytes, expected: object) -> None:
    assert parse(QUOTED, line) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"item\tuser\t2.5", Entry("user", "item", 2.5, None)),
        (b"item\tuser\t0", Reason.WEIGHT),
        (b"item\tuser\t-1", Reason.WEIGHT),
        (b"item\tuser\t1e-60", Reason.WEIGHT),
        (b"item\tuser\t1e39", Reason.SCALE),
        (b"item\tuser\t", Reason.RATING),
        (b"\t\t", Reason.NO_USER),
    ],
)
def test_a_line_of_events(line: bytes, expected: object) -> None:
    assert parse(EVENTS, line) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'{"at": 5, "stars": 4, "user": "anna", "item": 17, "more": [1]}', Entry("anna", "17", 4.0, 5_000_000)),
        (b'{"stars": "4.5", "user": "anna", "item": "b", "at": null}', Entry("anna", "b", 4.5, None)),
        (b'{"stars": 4, "item": "b"}', Reason.NO_USER),
        (b'{"stars": 4, "user": null, "item": "b"}', Reason.NO_USER),
        (b'{"stars": 4, "user": "\\ud800", "item": "b"}', Reason.USER_TEXT),
        (b'{"stars": 4, "user": "a\\nb", "item": "b"}', Reason.USER_TEXT),
        (b'{"stars": true, "user": "a", "item": "b"}', Reason.RATING),
        (b'{"stars": NaN, "user": "a", "item": "b"}', Reason.RATING),
        (b'{"stars": 4, "user": ["a"], "item": "b"}', Reason.USER_TEXT),
        (b'["a", "b", 4]', Reason.JSON),
        (b'{"stars": 4, "user": "a"', Reason.JSON),
        (b"[" * 80, Reason.JSON),
    ],
)
def test_a_line_of_json(line: bytes, expected: object) -> None:
    assert parse(JSON, line) == expected


def test_a_byte_order_mark_and_a_header_count_only_where_the_file_begins() -> None:
    assert parse(CSV, b"\xef\xbb\xbf1,2,3,4", 0) == Entry(1, 2, 3.0, 4_000_000)
    assert parse(replace(CSV, header=True), b"userId,movieId,rating,timestamp", 0) is None
    assert parse(replace(CSV, header=True), b"userId,movieId,rating,timestamp") == Reason.USER_NUMBER


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("964982703", datetime(2000, 7, 30, 18, 45, 3, tzinfo=UTC)),
        ("964982703.25", datetime(2000, 7, 30, 18, 45, 3, 250_000, tzinfo=UTC)),
        ("964982703004", datetime(2000, 7, 30, 18, 45, 3, 4_000, tzinfo=UTC)),
        ("-1", datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("2004-02-29", datetime(2004, 2, 29, tzinfo=UTC)),
        ("2004-02-29 10", datetime(2004, 2, 29, 10, tzinfo=UTC)),
        ("2004-02-29T10:11:12.5", datetime(2004, 2, 29, 10, 11, 12, 500_000, tzinfo=UTC)),
        ("2004-02-29T10:11:12.123456789Z", datetime(2004, 2, 29, 10, 11, 12, 123_456, tzinfo=UTC)),
        ("2004-02-29T10:11+02:30", datetime(2004, 2, 29, 7, 41, tzinfo=UTC)),
        ("2004-02-29T10:11:12-0100", datetime(2004, 2, 29, 11, 11, 12, tzinfo=UTC)),
        ("99999999999", datetime(5138, 11, 16, 9, 46, 39, tzinfo=UTC)),
        ("100000000000", datetime(1973, 3, 3, 9, 46, 40, tzinfo=UTC)),
        ("9999-12-31T23:59:59.999999", datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
        ("9999-12-31T23:59:59-01", None),
        ("0001-01-01T00:00:00+01", None),
        ("0000-01-01", None),
        ("2003-02-29", None),
        ("2003-1-1", None),
        ("01/02/2003", None),
        ("9" * 30, None),
        ("9" * 5_000, None),
        ("", None),
    ],
)
def test_times(text: str, moment: datetime | None) -> None:
    found = micros(text)
    assert (None if found is None else datetime.fromtimestamp(0, UTC).timestamp() + found / 1e6) == (
        None if moment is None else moment.timestamp()
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"separator": ""},
        {"separator": "a"},
        {"separator": '"'},
        {"separator": "\n"},
        {"separator": "::", "quoted": True},
        {"user": 1},
        {"time": 4},
    ],
)
def test_lines_that_cannot_be(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        replace(CSV, **fields)
