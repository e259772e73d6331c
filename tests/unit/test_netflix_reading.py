"""However a file is cut into tasks, chunks and words, the rows are those of the grammar applied line by line."""

from __future__ import annotations

import io
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nightreel.sources.lines.quarantine import quarantined_text
from nightreel.sources.lines.segments import PADDING, Segment, cut, first_line, read_blocks
from nightreel.sources.netflix import words
from nightreel.sources.netflix.block import BlockParser
from nightreel.sources.netflix.grammar import Entry, Grammar, Header, Reason, Reject, days
from nightreel.sources.netflix.header_search import item_at

RATINGS = Grammar(rows="ratings", lowest=1.0, highest=5.0, max_line_bytes=64)
SHORT_RATINGS = Grammar(rows="ratings", lowest=0.5, highest=10.0, max_line_bytes=16)
PAIRS = Grammar(rows="pairs", lowest=0.0, highest=0.0, max_line_bytes=64)
DUMP = (
    b"\xef\xbb\xbf9,3,2004-01-01\n1:\n1488844,3,2005-09-06\r\n822109,5,2005-05-13\n\n885013,4.5,2005-10-19\n2:\r\n"
    b"3:\n30878,9,2005-12-26\n2147483647,4.0,2004-05-03\nrubbish \x00\xff\nx:\n823519,3,2004-05-03\n4: \n"
    + b"8" * 9_000
    + b"\n124105,4,2004-08-05\n893988,3,2005-11-1"
)


@dataclass
class Parsed:
    rows: list[tuple[object, ...]] = field(default_factory=list)
    rejects: list[tuple[int, str, str]] = field(default_factory=list)


def line_by_line(data: bytes, grammar: Grammar) -> Parsed:
    parsed, position = Parsed(), 0
    item_id, homeless = 0, Reason.NO_HEADER
    for line in data.split(b"\n"):
        said = grammar.parse(line, position=position)
        reject = said.reason if isinstance(said, Reject) else None
        if isinstance(said, Header):
            item_id = said.item_id
        elif reject is Reason.ITEM_ID:
            item_id, homeless = 0, Reason.REJECTED_HEADER
        elif isinstance(said, Entry) and not item_id:
            reject = homeless
        elif isinstance(said, Entry):
            rating = None if said.rating is None else float(np.float32(said.rating))
            parsed.rows.append((position, said.user_id, item_id, rating, said.day and days(said.day)))
        if reject is not None:
            parsed.rejects.append((position, quarantined_text(line), str(reject)))
        position += len(line) + 1
    return parsed


def in_pieces(data: bytes, grammar: Grammar, *, chunk_bytes: int, partition_bytes: int) -> Parsed:
    parsed = Parsed()
    for segment in (one for task in cut([Segment(1, "f", 0, len(data))], partition_bytes) for one in task):
        stream = io.BytesIO(data)
        position = first_line(stream, segment, chunk_bytes=chunk_bytes)
        if position is None:
            continue
        parser = BlockParser(grammar, item_id=item_at(stream, position, grammar, chunk_bytes=chunk_bytes))
        for block in read_blocks(
            stream, segment, position=position, chunk_bytes=chunk_bytes, max_line_bytes=grammar.max_line_bytes
        ):
            for rows in parser.parse(block.data, position=block.position):
                columns = (rows.position, rows.user_id, rows.item_id, rows.rating, rows.day)
                for position_, user, item, rating, when in zip(*(column.tolist() for column in columns), strict=True):
                    rated = None if np.isnan(rating) else rating
                    parsed.rows.append((position_, user, item, rated, None if when == words.NO_DATE else when))
                parsed.rejects += [(one.position, one.line, str(one.reason)) for one in rows.rejected]
    return parsed


ID = st.one_of(st.integers(1, 2_649_429), st.integers(0, 10**11), st.sampled_from([2**31 - 1, 2**31])).map(str)
DAY = st.one_of(
    st.dates().map(str),
    st.builds("{:04}-{:02}-{:02}".format, st.integers(0, 9999), st.integers(0, 39), st.integers(0, 39)),
)
RATING = st.one_of(st.sampled_from("12345"), st.floats(0, 12).map("{:.1f}".format), st.text("0123456789.-", max_size=5))
GOOD = st.one_of(
    st.builds("{},{},{}".format, ID, RATING, DAY), st.builds("{},{}".format, ID, DAY), ID, ID.map("{}:".format)
).map(str.encode)
RUBBISH = st.one_of(st.binary(max_size=30), st.text(" ,:-.0123456789\r\t", max_size=40).map(str.encode))
LINE = st.one_of(GOOD, GOOD, GOOD, RUBBISH, st.integers(55, 75).map(lambda n: b"1" * n))
END = st.sampled_from([b"\n", b"\r\n", b" \n", b"\r\r\n", b":\n"])


@st.composite
def files(draw: st.DrawFn) -> bytes:
    lines = draw(st.lists(st.tuples(LINE, END).map(b"".join), max_size=30))
    data = bytearray(
        draw(st.sampled_from([b"", b"\xef\xbb\xbf"])) + b"".join(lines) + draw(st.one_of(st.just(b""), LINE))
    )
    for at, byte in draw(st.lists(st.tuples(st.integers(0, 2_000), st.integers(0, 255)), max_size=3)):
        if data:
            data[at % len(data)] = byte
    return bytes(data)


@settings(max_examples=400, deadline=None)
@given(files(), st.sampled_from([RATINGS, SHORT_RATINGS, PAIRS]), st.integers(4, 200), st.integers(1, 200))
@example(DUMP, RATINGS, 7, 11)
@example(DUMP, RATINGS, 2_000, 1_000_000)
@example(b"1:\n" + b"5,3.5,2000-01-01\n" * 4, RATINGS, 10_000, 10_000)
def test_the_rows_are_those_of_the_grammar(
    data: bytes, grammar: Grammar, chunk_bytes: int, partition_bytes: int
) -> None:
    expected = line_by_line(data, grammar)
    assert in_pieces(data, grammar, chunk_bytes=1 << 20, partition_bytes=1 << 20) == expected
    assert in_pieces(data, grammar, chunk_bytes=chunk_bytes, partition_bytes=partition_bytes) == expected


@pytest.mark.parametrize("size", [4, 5, 16, 61, 997, 2_000, 4_000, 4_001])
def test_a_line_longer_than_a_chunk_is_rejected_once_and_hides_nothing_else(size: int) -> None:
    expected = line_by_line(DUMP, RATINGS)
    assert in_pieces(DUMP, RATINGS, chunk_bytes=size, partition_bytes=size) == expected
    assert [user for _, user, *_ in expected.rows] == [1488844, 822109, 885013, 2147483647, 124105]
    assert [reason for *_, reason in expected.rejects] == [
        Reason.NO_HEADER,
        Reason.SCALE,
        Reason.BINARY,
        Reason.ITEM_ID,
        Reason.REJECTED_HEADER,
        Reason.TOO_LONG,
        Reason.DATE,
    ]


def test_more_lines_than_are_parsed_at_a_time_keep_their_movies() -> None:
    data = b"1:\n" + b"7,4,2001-02-03\n" * 40_000 + b"2:\n" + b"8,3.5,2001-02-03\r\n" * 40_000
    rows = in_pieces(data, RATINGS, chunk_bytes=1 << 20, partition_bytes=1 << 20).rows
    assert {(user, item, rating) for _, user, item, rating, _ in rows} == {(7, 1, 4.0), (8, 2, 3.5)}
    assert len(rows) == 80_000


def test_every_calendar_day_is_read_without_the_slow_way() -> None:
    every = np.arange("0001-01-01", "2200-01-01", 7, dtype="datetime64[D]")
    data = b"1:\n" + "".join(f"7,4,{day}\n" for day in every.astype(str)).encode()
    rows = in_pieces(data, RATINGS, chunk_bytes=1 << 20, partition_bytes=1 << 20).rows
    assert [when for *_, when in rows] == every.astype(np.int64).tolist()


def test_small_files_share_a_task_and_big_ones_are_cut() -> None:
    small = [Segment(i, f"mv_{i:07}.txt", 0, 2_000) for i in range(17_770)]
    assert len(cut(small, 64 << 20)) < 20
    pieces = [segment for task in cut([Segment(1, "big.txt", 0, 1_000_000_007)], 64 << 20) for segment in task]
    assert [piece.start for piece in pieces[1:]] == [piece.end for piece in pieces[:-1]]
    assert (pieces[0].start, pieces[-1].end) == (0, 1_000_000_007)
    assert len(cut([Segment(1, "big.txt.gz", 0, 1_000_000_007)], 64 << 20)) == 1


def test_usual_lines_need_no_grammar() -> None:
    lines = [b"7,4,2001-02-03\n", b"7,3.5,2001-02-03\r\n", b"2147483647,5.0,2001-02-03\n", b"12345678,1,2001-02-03\r\n"]
    block = bytes(PADDING) + b"".join(lines)
    feeds = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n"))
    starts = np.append(PADDING, feeds[:-1] + 1)
    assert words.parse(block, starts, feeds, RATINGS).recognised.all()
