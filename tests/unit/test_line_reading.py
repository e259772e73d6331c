"""However files of rating lines are cut into tasks and chunks, the rows are those of the definition line by line."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nightreel.settings import load
from nightreel.sources.lines.datasource import parse_segment
from nightreel.sources.lines.rating_lines import (
    BEFORE_ANY_HEADER,
    UNDER_REJECTED_HEADER,
    Entry,
    Header,
    LineFormat,
    RatingLines,
    Reason,
    parse_line,
)
from nightreel.sources.lines.segments import Block, Segment, cut
from nightreel.sources.lines.vector import COLUMN_TYPES, ParsedLines, _read_csv, parse_block
from nightreel.sources.netflix.lines import DumpLines, DumpReason
from nightreel.sources.survey import quarantined_text

INGEST = load("local", []).ingest
MAX_LINE_BYTES = 64
CSV = RatingLines(",", 4, user=0, item=1, rating=2, time=3, header=True, lowest=0.5, highest=5.0)
DUMP = DumpLines("ratings", lowest=1.0, highest=5.0)
FORMATS: dict[str, LineFormat] = {
    "csv": CSV,
    "tabs": replace(CSV, separator="\t", header=False),
    "double colon": replace(CSV, separator="::", header=False),
    "other columns": RatingLines(",", 5, user=4, item=1, rating=0, time=None, header=False, lowest=0.0, highest=10.0),
    "dump": DUMP,
    "dump of half stars": replace(DUMP, lowest=0.5, highest=10.0),
    "pairs": DumpLines("pairs"),
}
DUMP_LINES = (
    b"\xef\xbb\xbf9,3,2004-01-01\n1:\n1488844,3,2005-09-06\r\n822109,5,2005-05-13\n\n885013,4.5,2005-10-19\n2:\r\n"
    b"3:\n30878,9,2005-12-26\n2147483647,4.0,2004-05-03\nrubbish \x00\xff\nx:\n823519,3,2004-05-03\n4: \n"
    + b"8" * 9_000
    + b"\n124105,4,2004-08-05\n893988,3,2005-11-1"
)


@dataclass
class Read:
    rows: list[tuple[object, ...]] = field(default_factory=list)
    rejects: list[tuple[int, str, str]] = field(default_factory=list)


def line_by_line(data: bytes, lines: LineFormat) -> Read:
    read, position, item = Read(), 0, BEFORE_ANY_HEADER
    for line in data.split(b"\n"):
        parsed = parse_line(line, lines, position=position, max_line_bytes=MAX_LINE_BYTES)
        reason = parsed if isinstance(parsed, StrEnum) else None
        if isinstance(parsed, Header):
            item, reason = parsed.item_id, parsed.rejected
        elif isinstance(parsed, Entry):
            item_id = item if parsed.item_id is None else parsed.item_id
            rating = None if parsed.rating is None else float(np.float32(parsed.rating))
            if parsed.item_id is None and item <= 0:
                reason = Reason.REJECTED_HEADER if item == UNDER_REJECTED_HEADER else Reason.NO_HEADER
            else:
                read.rows.append((position, parsed.user_id, item_id, rating, parsed.seconds))
        if reason is not None:
            read.rejects.append((position, quarantined_text(line), str(reason)))
        position += len(line) + 1
    return read


def in_pieces(data: bytes, lines: LineFormat, *, chunk_bytes: int = 1 << 20, partition_bytes: int = 1 << 20) -> Read:
    read = Read()
    changed = INGEST.model_copy(update={"chunk_bytes": chunk_bytes, "max_line_bytes": MAX_LINE_BYTES})
    with NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        for segment in (one for task in cut([Segment(1, file.name, 0, len(data))], partition_bytes) for one in task):
            for parsed in parse_segment(segment, lines, changed):
                read.rows += rows_of(parsed)
                read.rejects += [(one.position, one.line, str(one.reason)) for one in parsed.rejected]
    return read


def rows_of(parsed: ParsedLines) -> list[tuple[object, ...]]:
    columns = parsed.columns
    rating = [None if np.isnan(one) else one for one in columns["rating"].astype(np.float32).tolist()]
    rated_at = parsed.batch(1, pa.schema([("rated_at", COLUMN_TYPES["rated_at"])])).column(0).view(pa.int64())
    seconds = [None if at is None else at // 1_000_000 for at in rated_at.to_pylist()]
    ids = (columns[name].tolist() for name in ("position", "user_id", "item_id"))
    return list(zip(*ids, rating, seconds, strict=True))


GOOD_ID = st.one_of(st.integers(1, 2_649_429), st.integers(0, 2**63 - 1), st.sampled_from([2**31 - 1, 2**31])).map(str)
ID = st.one_of(
    st.integers(0, 2**64).map(str),
    st.sampled_from(["007", "0" * 20 + "7", "-0", "+5", "0x1F", "2 ", "", str(2**63 - 1), str(2**63), "1e3", "1.0"]),
    st.text("aé김\u0085\x7f\"' x-\t", max_size=6),
)
NUMBER = st.one_of(
    st.sampled_from(["nan", "inf", "-0.0", "+3", ".5", "5.", "1e39", "1e-46", "1e400", " 3 ", "1.2.3", "3,5", "", "."]),
    st.integers(0, 10**400).map(str),
    st.floats().map(repr),
    st.floats(0, 12).map("{:.1f}".format),
)
GOOD_DATE = st.dates().map(str)
DATE = st.builds("{:04}-{:02}-{:02}".format, st.integers(0, 9999), st.integers(0, 39), st.integers(0, 39))
GOOD_TIME = st.one_of(
    st.integers(0, 2 * 10**9).map(str), st.datetimes().map(lambda moment: moment.isoformat(" ", "seconds"))
)
TIME = st.one_of(
    st.integers(-(10**19), 10**19).map(str),
    st.sampled_from(["", " ", "-", "-0", "253402300799", "253402300800", "-62135596801", "964982703.0", "1:2", "1-2"]),
    st.builds("{} {:02}:{:02}:{:02}".format, DATE, st.integers(0, 25), st.integers(0, 60), st.integers(0, 61)),
)
QUOTES = st.sampled_from(["{}"] * 6 + ['"{}"', ' "{}"', '"{}', '{}"', '"{}" ', '"{},"', '"a""{}"', '{}"b"', '" {}"'])
ENDS = st.sampled_from([b"\n"] * 4 + [b"\r\n", b" \n", b"\r\r\n", b"\r \n", b"\t\n", b":\n"])
GOOD_RATING = st.sampled_from(["1", "3.0", "5", "4.5"])


@st.composite
def lines_of(draw: st.DrawFn, lines: LineFormat) -> bytes:
    """A good line, or one of which a field or two are not as they should be."""
    if isinstance(lines, DumpLines):
        kinds = {"header": [], "rating": [GOOD_RATING, GOOD_DATE], "dated": [GOOD_DATE], "user": []}
        kind = draw(st.sampled_from([*kinds, "rating"]))
        good, odd = [GOOD_ID, *kinds[kind]], [ID, *[NUMBER, DATE][2 - len(kinds[kind]) :]]
    else:
        kind, good, odd = "row", [GOOD_ID] * lines.fields, [ID] * lines.fields
        good[lines.rating], odd[lines.rating] = GOOD_RATING, NUMBER
        if lines.time is not None:
            good[lines.time], odd[lines.time] = GOOD_TIME, TIME
    fields = [draw(one) for one in good]
    for place in draw(st.lists(st.integers(0, 3 * len(good)), max_size=2)):
        if place < len(fields):
            fields[place] = draw(QUOTES).format(
                draw(st.sampled_from([odd[place], good[place]]).flatmap(lambda one: one))
            )
    return lines.separator.join(fields).encode() + b":" * (kind == "header")


@st.composite
def files(draw: st.DrawFn) -> tuple[str, bytes]:
    name = draw(st.sampled_from(sorted(FORMATS)))
    lines = FORMATS[name]
    signs = f' {lines.separator}"0123456789.-:x\r\t\n'
    rubbish = st.one_of(st.binary(max_size=30), st.text(signs, max_size=40).map(str.encode))
    line = st.one_of(*[lines_of(lines)] * 5, rubbish, st.integers(55, 75).map(lambda n: b"1" * n))
    drawn = draw(st.lists(st.tuples(line, ENDS).map(b"".join), max_size=16))
    ending = draw(st.one_of(st.just(b""), line))
    data = bytearray(draw(st.sampled_from([b"", b"\xef\xbb\xbf"])) + b"".join(drawn) + ending)
    for at, byte in draw(st.lists(st.tuples(st.integers(0, 2_000), st.integers(0, 255)), max_size=2)):
        if data:
            data[at % len(data)] = byte
    return name, bytes(data)


@settings(max_examples=100, deadline=None)
@given(files(), st.integers(4, 300), st.integers(1, 300))
@example(("csv", b"userId,movieId\n1,2,3.5,4\n\n1,2,3.5,4"), 5, 7)
@example(("csv", b"h\n" + b"1,2,3,4\n\xef\xbb\xbf1,2,3,4\n" * 100), 1_000, 10_000)
@example(("csv", b'h\r\n1,2,3,4\r\n1,2,3\r\n1,2,3,"2005-04-02 23:53:47"\r\n'), 1_000, 1_000)
@example(("csv", b"h\n1,2,3," + b"0" * 60 + b"4\n"), 1_000, 1_000)
@example(("csv", b"h\n1,2,3,4,5\n1,2,3\n"), 1_000, 1_000)
@example(("double colon", b"1::2::3::4\n1:::2::3::4\n1:2::3::4\n"), 1_000, 1_000)
@example(("dump", DUMP_LINES), 7, 11)
@example(("dump", DUMP_LINES), 2_000, 1_000_000)
@example(("dump", b"1:\n" + b"5,3.5,2000-01-01\n" * 4), 10_000, 10_000)
@example(("dump", b"1:\n2:\n"), 10_000, 10_000)
def test_the_rows_are_those_of_the_definition(file: tuple[str, bytes], chunk_bytes: int, partition_bytes: int) -> None:
    name, data = file
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return
    lines = FORMATS[name]
    expected = line_by_line(data, lines)
    assert in_pieces(data, lines) == expected
    assert in_pieces(data, lines, chunk_bytes=chunk_bytes, partition_bytes=partition_bytes) == expected


@pytest.mark.parametrize("name", ["csv", "tabs", "double colon", "other columns"])
def test_real_lines_with_a_byte_changed_here_and_there(name: str, real_data: Path) -> None:
    """Every second line of a part of MovieLens has one byte replaced; nothing is lost, and the untouched are read."""
    lines, random = FORMATS[name], np.random.default_rng(5)
    assert isinstance(lines, RatingLines)
    with (real_data / "ml-latest-small" / "ratings.csv").open("rb") as file:
        real = [next(file).split(b",") for _ in range(3_001)][1:]
    written = []
    for number, (user, item, rating, time) in enumerate(real):
        fields = [b"7"] * lines.fields
        fields[lines.user], fields[lines.item], fields[lines.rating] = user, item, rating
        if lines.time is not None:
            fields[lines.time] = time.strip()
        line = bytearray(lines.separator.encode().join(fields))
        if number % 2:
            line[random.integers(len(line))] = random.choice([random.integers(256), ord("\n"), *b'",.:x -0123456789'])
        written.append(bytes(line))
    data = b"\n".join(written)
    expected = line_by_line(data, lines)
    assert in_pieces(data, lines) == expected
    assert in_pieces(data, lines, chunk_bytes=5_000, partition_bytes=7_000) == expected
    assert len(expected.rows) + len(expected.rejects) == lines_given(data, lines)
    assert len(expected.rows) >= 1_500 - lines.header


def lines_given(data: bytes, lines: RatingLines) -> int:
    """The lines that are neither the header nor blank."""
    blanks = b" \t\r".replace(lines.separator.encode(), b"")
    return sum(1 for line in data.split(b"\n")[lines.header :] if line.rstrip(blanks))


@pytest.mark.parametrize("size", [4, 5, 16, 61, 997, 2_000, 4_000, 4_001])
def test_a_line_longer_than_a_chunk_is_rejected_once_and_hides_nothing_else(size: int) -> None:
    read = in_pieces(DUMP_LINES, DUMP, chunk_bytes=size, partition_bytes=size)
    assert read == line_by_line(DUMP_LINES, DUMP)
    assert [user for _, user, *_ in read.rows] == [1488844, 822109, 885013, 2147483647, 124105]
    assert [reason for *_, reason in read.rejects] == [
        Reason.NO_HEADER,
        Reason.SCALE,
        Reason.BINARY,
        DumpReason.ITEM_ID,
        Reason.REJECTED_HEADER,
        Reason.TOO_LONG,
        DumpReason.DATE,
    ]
    ratings = b"h\n1,2,3,4\n" + b"8" * 9_000 + b"\n2,2,3,4\n" + b"," * 101 + b"\n3,2,3,4"
    read = in_pieces(ratings, CSV, chunk_bytes=size, partition_bytes=size)
    assert [user for _, user, *_ in read.rows] == [1, 2, 3]
    assert [(at, reason) for at, _, reason in read.rejects] == [(10, Reason.TOO_LONG), (9_019, Reason.TOO_LONG)]


def test_movies_carry_over_many_lines() -> None:
    data = b"1:\n" + b"7,4,2001-02-03\n" * 40_000 + b"2:\n" + b"8,3.5,2001-02-03\r\n" * 40_000
    rows = in_pieces(data, DUMP, chunk_bytes=100_000).rows
    assert {(user, item, rating) for _, user, item, rating, _ in rows} == {(7, 1, 4.0), (8, 2, 3.5)}
    assert len(rows) == 80_000


def fast_lines(data: bytes, lines: LineFormat) -> Sequence[int]:
    return _read_csv(data, data.count(b"\n"), lines)[1].tolist()


def test_usual_lines_need_neither_the_expression_nor_the_definition() -> None:
    assert fast_lines(b"1,2,3.5,4\n2,3,0.5,964982703\n", CSV) == [0, 1]
    assert fast_lines(b"1,2,3.5,4\r\n1,2\r\n2,3,0.5,964982703\r\n", CSV) == [0, 2]
    assert fast_lines(b"1::2::5::4\n", FORMATS["double colon"]) == [0]
    assert fast_lines(b"1:\n7,4,2001-02-03\n7,3.5,2001-02-03\n2:\n2147483647,5.0,2001-02-03\n", DUMP) == [1, 2, 4]


def test_every_usual_line_beside_a_broken_one_needs_no_definition(monkeypatch: pytest.MonkeyPatch) -> None:
    every = np.arange("1900-01-01", "2200-01-01", dtype="datetime64[D]").astype(str)
    every = every[~np.char.endswith(every, "02-29")]  # the expression knows no leap years
    dump = b"1:\n" + "".join(f"7,4,{day}\n" for day in every).encode() + b"x\n"
    moments = "".join(f'"1","2","3.5","{day} 23:59:59"\n' for day in every).encode()
    asked: list[bytes] = []
    monkeypatch.setattr(
        "nightreel.sources.lines.vector.parse_line",
        lambda line, lines, **options: asked.append(line) or parse_line(line, lines, **options),
    )
    for data, lines, odd in ((dump, DUMP, [b"1:", b"x"]), (b"h\n" + moments + b"x\n", CSV, [b"h", b"x"])):
        asked.clear()
        parsed = parse_block(Block(0, data), lines, item_above=0, max_line_bytes=MAX_LINE_BYTES)
        days = parsed.columns["seconds"] // 86_400
        assert days.tolist() == every.astype("datetime64[D]").astype(np.int64).tolist()
        assert asked == odd


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_file_in_utf_16_is_refused(tmp_path: Path, encoding: str, packed: bool) -> None:
    data = ("\ufeff" * (encoding == "utf-16-be") + "1:\n7,4,2001-02-03\n").encode(encoding)
    path = tmp_path / f"combined_data_1.txt{'.gz' * packed}"
    path.write_bytes(gzip.compress(data) if packed else data)
    with pytest.raises(OSError, match="UTF-16"):
        list(parse_segment(Segment(1, str(path), 0, len(data)), DUMP, INGEST))


def test_small_files_share_a_task_and_big_ones_are_cut() -> None:
    small = [Segment(i, f"mv_{i:07}.txt", 0, 2_000) for i in range(17_770)]
    assert len(cut(small, 64 << 20)) < 20
    pieces = [segment for task in cut([Segment(1, "big.txt", 0, 1_000_000_007)], 64 << 20) for segment in task]
    assert [piece.start for piece in pieces[1:]] == [piece.end for piece in pieces[:-1]]
    assert (pieces[0].start, pieces[-1].end) == (0, 1_000_000_007)
    assert len(cut([Segment(1, "big.txt.gz", 0, 1_000_000_007)], 64 << 20)) == 1
