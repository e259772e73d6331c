"""The dump's lines one by one: the definition that everything else is held against."""

from __future__ import annotations

from datetime import date

import pytest

from nightreel.sources.lines.quarantine import quarantined_text
from nightreel.sources.netflix.grammar import Entry, Grammar, Header, Reason, Reject, days

RATINGS = Grammar(rows="ratings", lowest=1.0, highest=5.0, max_line_bytes=60)
PAIRS = Grammar(rows="pairs", lowest=0.0, highest=0.0, max_line_bytes=60)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"2043:", Header(2043)),
        (b"2043: \t\r", Header(2043)),
        (b"2147483647:", Header(2_147_483_647)),
        (b"716091,2,2003-10-02", Entry(716091, 2.0, date(2003, 10, 2))),
        (b"716091,4.0,2003-10-02\r", Entry(716091, 4.0, date(2003, 10, 2))),
        (b"7,3.5,2004-02-29  ", Entry(7, 3.5, date(2004, 2, 29))),
        (b"2147483647,1,0001-01-01", Entry(2_147_483_647, 1.0, date(1, 1, 1))),
        (b"", None),
        (b" \t\r", None),
        (b"2147483648:", Reject(Reason.ITEM_ID)),
        (b"0:", Reject(Reason.ITEM_ID)),
        (b"-5:", Reject(Reason.ITEM_ID)),
        (b":", Reject(Reason.ITEM_ID)),
        (b"12 :", Reject(Reason.ITEM_ID)),
        (b"0,3,2003-10-02", Reject(Reason.USER_ID)),
        (b"2147483648,3,2003-10-02", Reject(Reason.USER_ID)),
        (b" 7,3,2003-10-02", Reject(Reason.USER_ID)),
        (b"7,6,2003-10-02", Reject(Reason.SCALE)),
        (b"7,0.5,2003-10-02", Reject(Reason.SCALE)),
        (b"7,-1,2003-10-02", Reject(Reason.SCALE)),
        (b"7,3.,2003-10-02", Reject(Reason.RATING)),
        (b"7,nan,2003-10-02", Reject(Reason.RATING)),
        (b"7,,2003-10-02", Reject(Reason.RATING)),
        (b"7,3,2003-02-29", Reject(Reason.DATE)),
        (b"7,3,1900-02-29", Reject(Reason.DATE)),
        (b"7,3,2003-13-01", Reject(Reason.DATE)),
        (b"7,3,0000-01-01", Reject(Reason.DATE)),
        (b"7,3,2003-1-01", Reject(Reason.DATE)),
        (b"7,3,2003-10-0", Reject(Reason.DATE)),
        (b"7,3", Reject(Reason.FORM)),
        (b"7,3,2003-10-02,x", Reject(Reason.FORM)),
        (b"7\x00,3,2003-10-02", Reject(Reason.BINARY)),
        (b"\xff\xfe\x00", Reject(Reason.BINARY)),
        (b"7,3,2003-10-02" + b" " * 47, Reject(Reason.TOO_LONG)),
    ],
)
def test_a_line_of_ratings(line: bytes, expected: object) -> None:
    assert RATINGS.parse(line, position=100) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"30878", Entry(30878, None, None)),
        (b"1046323,2005-12-19\r", Entry(1_046_323, None, date(2005, 12, 19))),
        (b"1046323,2005-02-30", Reject(Reason.DATE)),
        (b"1046323,3,2005-12-19", Reject(Reason.FORM)),
        (b"x", Reject(Reason.USER_ID)),
        (b"8:", Header(8)),
    ],
)
def test_a_line_of_pairs(line: bytes, expected: object) -> None:
    assert PAIRS.parse(line, position=100) == expected


def test_a_byte_order_mark_counts_only_where_the_file_begins() -> None:
    assert RATINGS.parse(b"\xef\xbb\xbf8:", position=0) == Header(8)
    assert RATINGS.parse(b"\xef\xbb\xbf8:", position=5) == Reject(Reason.ITEM_ID)


def test_days_count_from_1970() -> None:
    assert (days(date(1970, 1, 2)), days(date(1969, 12, 31))) == (1, -1)


def test_quarantine_cuts_at_a_thousand_characters_and_replaces_what_is_no_utf8() -> None:
    assert quarantined_text("é".encode() * 3_000) == "é" * 1_000
    assert quarantined_text(b"a\xffb\r") == "a�b"
