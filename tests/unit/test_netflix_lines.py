"""The dump's lines one by one: the definition that the fast reader is held against."""

from __future__ import annotations

from datetime import date

import pytest

from nightreel.sources.lines.rating_lines import UNDER_REJECTED_HEADER, Entry, Header, Reason, parse_line
from nightreel.sources.netflix.lines import DumpLines, DumpReason

RATINGS = DumpLines("ratings", lowest=1.0, highest=5.0)
PAIRS = DumpLines("pairs")
BAD_HEADER = Header(UNDER_REJECTED_HEADER, DumpReason.ITEM_ID)


def parse(lines: DumpLines, line: bytes, position: int = 100) -> object:
    return parse_line(line, lines, position=position, max_line_bytes=60)


def entry(user_id: int, rating: float | None, day: date | None) -> Entry:
    days = None if day is None else day.toordinal() - date(1970, 1, 1).toordinal()
    return Entry(user_id, None, rating, None if days is None else days * 86_400)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"2043:", Header(2043)),
        (b"2043: \t\r", Header(2043)),
        (b"2147483647:", Header(2_147_483_647)),
        (b"716091,2,2003-10-02", entry(716091, 2.0, date(2003, 10, 2))),
        (b"716091,4.0,2003-10-02\r", entry(716091, 4.0, date(2003, 10, 2))),
        (b"7,3.5,2004-02-29  ", entry(7, 3.5, date(2004, 2, 29))),
        (b"007,3.,1969-12-31", entry(7, 3.0, date(1969, 12, 31))),
        (b"2147483647,1,0001-01-01", entry(2_147_483_647, 1.0, date(1, 1, 1))),
        (b"", None),
        (b" \t\r", None),
        (b"2147483648:", BAD_HEADER),
        (b"0:", BAD_HEADER),
        (b"-5:", BAD_HEADER),
        (b":", BAD_HEADER),
        (b"12 :", BAD_HEADER),
        (b"\x00:", BAD_HEADER),
        (b"0,3,2003-10-02", DumpReason.USER_ID),
        (b"2147483648,3,2003-10-02", DumpReason.USER_ID),
        (b" 7,3,2003-10-02", DumpReason.USER_ID),
        (b"7,6,2003-10-02", Reason.SCALE),
        (b"7,0.5,2003-10-02", Reason.SCALE),
        (b"7,-1,2003-10-02", Reason.SCALE),
        (b"7,nan,2003-10-02", Reason.RATING),
        (b"7,,2003-10-02", Reason.RATING),
        (b"7,3,2003-02-29", DumpReason.DATE),
        (b"7,3,1900-02-29", DumpReason.DATE),
        (b"7,3,2003-13-01", DumpReason.DATE),
        (b"7,3,0000-01-01", DumpReason.DATE),
        (b"7,3,2003-1-01", DumpReason.DATE),
        (b"7,3,2003-10-0", DumpReason.DATE),
        (b"7,3,2003-10-02 10:11:12", DumpReason.DATE),
        (b"7,3", DumpReason.FORM),
        (b"7,3,2003-10-02,x", DumpReason.FORM),
        (b"7\x00,3,2003-10-02", Reason.BINARY),
        (b"\xff\xfe\x00", Reason.BINARY),
        (b"7,3,2003-10-02" + b" " * 47, Reason.TOO_LONG),
    ],
)
def test_a_line_of_ratings(line: bytes, expected: object) -> None:
    assert parse(RATINGS, line) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"30878", entry(30878, None, None)),
        (b"1046323,2005-12-19\r", entry(1_046_323, None, date(2005, 12, 19))),
        (b"1046323,2005-02-30", DumpReason.DATE),
        (b"1046323,", DumpReason.DATE),
        (b"1046323,3,2005-12-19", DumpReason.FORM),
        (b"x", DumpReason.USER_ID),
        (b"8:", Header(8)),
    ],
)
def test_a_line_of_pairs(line: bytes, expected: object) -> None:
    assert parse(PAIRS, line) == expected


def test_a_byte_order_mark_counts_only_where_the_file_begins() -> None:
    assert parse(RATINGS, b"\xef\xbb\xbf8:", position=0) == Header(8)
    assert parse(RATINGS, b"\xef\xbb\xbf8:", position=5) == BAD_HEADER
