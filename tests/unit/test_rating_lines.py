"""Lines of ratings one by one: the definition that the fast reader is held against."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from nightreel.sources.lines.rating_lines import Entry, RatingLines, Reason, parse_line, seconds_of
from nightreel.sources.survey import quarantined_text

CSV = RatingLines(",", 4, user=0, item=1, rating=2, time=3, header=False, lowest=0.5, highest=5.0)
TABS = replace(CSV, separator="\t")
COLONS = replace(CSV, separator="::")


def parse(lines: RatingLines, line: bytes, position: int = 100) -> object:
    return parse_line(line, lines, position=position, max_line_bytes=80)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"1,296,5.0,1147880044", Entry(1, 296, 5.0, 1_147_880_044)),
        (b"0,007,.5,-1\r", Entry(0, 7, 0.5, -1)),
        (b"1, 296 ,\t5e0, ", Entry(1, 296, 5.0, None)),
        (b'"1", "2" ,3.5,"2005-04-02 23:53:47"', Entry(1, 2, 3.5, 1_112_486_027)),
        (b"9223372036854775807,2,3,", Entry(2**63 - 1, 2, 3.0, None)),
        (b"", None),
        (b" \t\r", None),
        (b"9223372036854775808,2,3,4", Reason.USER_ID),
        (b"-1,2,3,4", Reason.USER_ID),
        (b"-0,2,3,4", Reason.USER_ID),
        (b"1.0,2,3,4", Reason.USER_ID),
        (b'"1,2,3,4', Reason.USER_ID),
        (b'"",2,3,4', Reason.NO_USER),
        (b",2,3,4", Reason.NO_USER),
        (b"1, ,3,4", Reason.NO_ITEM),
        (b"1,0x2,3,4", Reason.ITEM_ID),
        (b"1,2,,4", Reason.RATING),
        (b"1,2,nan,4", Reason.RATING),
        (b"1,2,1_0,4", Reason.RATING),
        (b"1,2,0.4,4", Reason.SCALE),
        (b"1,2,5.000001,4", Reason.SCALE),
        (b"1,2,1e999,4", Reason.SCALE),
        (b"1,2,3,yesterday", Reason.TIME),
        (b"1,2,3,1147880044123", Reason.TIME),
        (b"1,2,3", Reason.FIELDS),
        (b"1,2,3,4,", Reason.FIELDS),
        (b"1,2,3\x00,4", Reason.BINARY),
        (b"1,2,3,4\r1,2,3,4", Reason.BINARY),
        (b"\xef\xbb\xbf1,2,3,4", Reason.USER_ID),
        (b"1,2,3,4" + b" " * 80, Reason.TOO_LONG),
    ],
)
def test_a_line_of_csv(line: bytes, expected: object) -> None:
    assert parse(CSV, line) == expected


@pytest.mark.parametrize(
    ("lines", "line", "expected"),
    [
        (TABS, b"1\t296\t5\t4 \r", Entry(1, 296, 5.0, 4)),
        (TABS, b"1\t296\t5\t", Entry(1, 296, 5.0, None)),
        (TABS, b"1\t296\t5\t4\t", Reason.FIELDS),
        (TABS, b"\t\t\t", Reason.NO_USER),
        (COLONS, b"1::296::5::4", Entry(1, 296, 5.0, 4)),
        (COLONS, b"1::296::5::", Entry(1, 296, 5.0, None)),
        (COLONS, b"1::296:::5::4", Reason.RATING),
        (COLONS, b"1:296::5::4", Reason.FIELDS),
    ],
)
def test_other_separators(lines: RatingLines, line: bytes, expected: object) -> None:
    assert parse(lines, line) == expected


def test_a_byte_order_mark_and_a_header_count_only_where_the_file_begins() -> None:
    assert parse(CSV, b"\xef\xbb\xbf1,2,3,4", 0) == Entry(1, 2, 3.0, 4)
    assert parse(replace(CSV, header=True), b"userId,movieId,rating,timestamp", 0) is None
    assert parse(replace(CSV, header=True), b"userId,movieId,rating,timestamp") == Reason.USER_ID


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        (b"964982703", datetime(2000, 7, 30, 18, 45, 3, tzinfo=UTC)),
        (b"-1", datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (b"000000000000000007", datetime(1970, 1, 1, 0, 0, 7, tzinfo=UTC)),
        (b"2004-02-29 10:11:12", datetime(2004, 2, 29, 10, 11, 12, tzinfo=UTC)),
        (b"253402300799", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (b"253402300800", None),
        (b"2003-02-29 00:00:00", None),
        (b"2003-02-28 24:00:00", None),
        (b"0000-01-01 00:00:00", None),
        (b"2004-02-29", None),
        (b"01/02/2003", None),
        (b"964982703.25", None),
        (b"9" * 5_000, None),
        (b"", None),
    ],
)
def test_times(text: bytes, moment: datetime | None) -> None:
    assert seconds_of(text) == (None if moment is None else int(moment.timestamp()))


def test_quarantine_cuts_at_a_thousand_characters_and_replaces_what_is_no_utf8() -> None:
    assert quarantined_text("é".encode() * 3_000) == "é" * 1_000
    assert quarantined_text(b"a\xffb\r") == "a�b"
