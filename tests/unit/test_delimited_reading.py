"""However files of rating lines are cut into tasks and chunks, the rows are those of the grammar line by line."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nightreel.sources.delimited import RatingLines
from nightreel.sources.delimited.block import PADDING, parse_block
from nightreel.sources.delimited.grammar import Grammar
from nightreel.sources.delimited.line_table import tables, usual
from nightreel.sources.delimited.values import Entry, Reason
from nightreel.sources.lines.quarantine import quarantined_text
from nightreel.sources.lines.segments import Segment, cut, read_blocks
from nightreel.sources.lines.segments import first_start as first_line

CSV = RatingLines(",", 4, user=0, item=1, rating=2, time=3, header=True, lowest=0.5, highest=5.0)
FORMS = {
    "csv": CSV,
    "quoted": replace(CSV, quoted=True, header=False),
    "tabs": replace(CSV, separator="\t", header=False),
    "double colon": replace(CSV, separator="::", header=False),
    "text ids": replace(CSV, ids="string", quoted=True, lowest=None, highest=None),
    "quoted tabs": replace(CSV, separator="\t", ids="string", quoted=True),
    "blanks": replace(CSV, separator=" ", ids="string"),
    "weights": RatingLines(";", 5, user=4, item=1, rating=0, time=None, header=False, above_zero=True),
    "events": RatingLines(",", 3, user=1, item=0, rating=None, time=2, header=False, ids="string", quoted=True),
    "json": RatingLines("", 4, user=0, item=1, rating=2, time=3, header=False, keys=("u", "i", "r", "t")),
}


@dataclass
class Parsed:
    rows: list[tuple[object, ...]] = field(default_factory=list)
    rejects: list[tuple[int, str, str]] = field(default_factory=list)


def line_by_line(data: bytes, grammar: Grammar) -> Parsed:
    parsed, position = Parsed(), 0
    for line in data.split(b"\n"):
        said = grammar.parse(line, position=position)
        if isinstance(said, Entry):
            rating = float(np.float32(said.rating))
            parsed.rows.append((position, said.user_id, said.item_id, rating, said.micros))
        elif isinstance(said, Reason):
            parsed.rejects.append((position, quarantined_text(line), said))
        position += len(line) + 1
    return parsed


def in_pieces(data: bytes, grammar: Grammar, *, chunk_bytes: int, partition_bytes: int) -> Parsed:
    parsed = Parsed()
    for segment in (one for task in cut([Segment(1, "f", 0, len(data))], partition_bytes) for one in task):
        stream = io.BytesIO(data)
        position = first_line(stream, segment, chunk_bytes=chunk_bytes)
        if position is None:
            continue
        for block in read_blocks(
            stream, segment, position=position, chunk_bytes=chunk_bytes, max_line_bytes=grammar.max_line_bytes
        ):
            for part in parse_block(block, grammar):
                user, item, rating, when = part.rows.columns
                micros = when.view("int64").to_pylist()
                columns = (part.position.tolist(), user.to_pylist(), item.to_pylist(), rating.to_pylist(), micros)
                parsed.rows += zip(*columns, strict=True)
                parsed.rejects += [(one.position, one.line, one.reason) for one in part.rejected]
    return parsed


GOOD_ID = st.one_of(st.integers(0, 200_000), st.integers(0, 2**63 - 1)).map(str)
GOOD_TIME = st.one_of(
    st.integers(0, 2 * 10**9).map(str),
    st.integers(10**12, 2 * 10**12).map(str),
    st.dates().map(str),
    st.datetimes().map(str),
    st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat),
)
ID = st.one_of(
    st.integers(0, 2**64).map(str),
    st.sampled_from(["007", "-0", "+5", "0x1F", "2 ", "", "9223372036854775807", "9223372036854775808", "1e3", "1.0"]),
    st.text("aé김\u0085\x7f\"' x-\t", max_size=6),
)
NUMBER = st.one_of(
    st.sampled_from(["nan", "inf", "-0.0", "+3", ".5", "5.", "1e39", "1e-46", "1e400", " 3 ", "1.2.3", "3,5", ""]),
    st.floats().map(repr),
    st.floats(0, 6).map("{:.1f}".format),
)
TIME = st.one_of(
    st.integers(-(10**19), 10**19).map(str),
    st.sampled_from(["99999999999", "100000000000", "-100000000000", "253402300799999", "253402300800000"]),
    st.sampled_from(["", " ", "964982703.0", "1.5", "0000-01-01", "2003-02-29", "2003-10-02T", "2003-10-02Z"]),
    st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat(timespec="seconds")),
    st.builds("{}T{:02}:{:02}Z".format, st.dates(), st.integers(0, 24), st.integers(0, 60)),
    st.builds("{} {:02}:30:59.1234567".format, st.dates(), st.integers(0, 24)),
)
QUOTES = st.sampled_from(["{}", '"{}"', ' "{}"', '"{}', '{}"', '"{}" ', '"{},"', '"a""{}"', '{}"b"'])
ENDS = st.sampled_from([b"\n", b"\n", b"\n", b"\r\n", b" \n", b"\r\r\n", b"\r \n", b"\t\n"])


def json_line(form: RatingLines, values: Sequence[str]) -> bytes:
    return ("{" + ", ".join(f'"{key}": {value}' for key, value in zip(form.keys, values, strict=True)) + "}").encode()


@st.composite
def lines(draw: st.DrawFn, form: RatingLines) -> bytes:
    """A good line, or one of which a field or two are not as they should be."""
    usual, odd = [GOOD_ID] * form.fields, [ID] * form.fields
    if form.rating is not None:
        usual[form.rating], odd[form.rating] = st.sampled_from(["0.5", "3.0", "5"]), NUMBER
    if form.time is not None:
        usual[form.time], odd[form.time] = GOOD_TIME, TIME
    fields = [draw(one) for one in usual]
    for place in draw(st.lists(st.integers(0, 2 * form.fields), max_size=2)):
        if place < form.fields:
            fields[place] = draw(odd[place])
    if form.keys:
        return json_line(form, [value if value.isdigit() else f'"{value}"' for value in fields])
    if form.quoted:
        fields = [draw(st.sampled_from(['"{}"', "{}"])).format(text) for text in fields]
        fields[0] = draw(QUOTES).format(fields[0].strip('"'))
    return form.separator.join(fields).encode()


@st.composite
def files(draw: st.DrawFn) -> tuple[str, bytes]:
    name = draw(st.sampled_from(sorted(FORMS)))
    form = FORMS[name]
    signs = f' {form.separator}"0123456789.-x\r\t\n'
    rubbish = st.one_of(st.binary(max_size=30), st.text(signs, max_size=40).map(str.encode))
    line = st.one_of(*[lines(form)] * 5, rubbish, st.integers(90, 110).map(lambda n: b"1" * n))
    drawn = draw(st.lists(st.tuples(line, ENDS).map(b"".join), max_size=12))
    repeats = draw(st.sampled_from([1, 1, 8]))  # 8: more than the few that Arrow's refusal leaves to the grammar
    ending = draw(st.one_of(st.just(b""), line))
    data = bytearray(draw(st.sampled_from([b"", b"\xef\xbb\xbf"])) + b"".join(drawn * repeats) + ending)
    for at, byte in draw(st.lists(st.tuples(st.integers(0, 2_000), st.integers(0, 255)), max_size=2)):
        if data:
            data[at % len(data)] = byte
    return name, bytes(data)


@settings(max_examples=250, deadline=None, derandomize=True)
@given(files(), st.integers(4, 300), st.integers(1, 300))
@example(("csv", b"userId,movieId\n1,2,3.5,4\n\n1,2,3.5,4"), 5, 7)
@example(("quoted", b'1,"2","3.5",4\n"1,2,3.5,4\n2,2,2,2\n'), 1_000, 1_000)
@example(("csv", b"h\n" + b"1,2,3,4\n\xef\xbb\xbf1,2,3,4\n" * 100), 1_000, 10_000)
def test_the_rows_are_those_of_the_grammar(file: tuple[str, bytes], chunk_bytes: int, partition_bytes: int) -> None:
    name, data = file
    grammar = Grammar(FORMS[name], max_line_bytes=100)
    expected = line_by_line(data, grammar)
    assert in_pieces(data, grammar, chunk_bytes=1 << 20, partition_bytes=1 << 20) == expected
    assert in_pieces(data, grammar, chunk_bytes=chunk_bytes, partition_bytes=partition_bytes) == expected
    assert len(expected.rows) + len(expected.rejects) == lines_given(data, grammar.form)


def lines_given(data: bytes, form: RatingLines) -> int:
    """The lines that are neither the header nor blank."""
    blanks = b" \t\r".replace(form.separator.encode(), b"")
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")[form.header :]
    return sum(1 for line in lines if line.rstrip(blanks))


@pytest.mark.parametrize("name", sorted(FORMS))
def test_real_lines_with_a_byte_changed_here_and_there(name: str, real_data: Path) -> None:
    """Every second line of a part of MovieLens has one byte replaced; nothing is lost, and the untouched are read."""
    form, random = replace(FORMS[name], lowest=None, highest=None), np.random.default_rng(5)
    with (real_data / "ml-latest-small" / "ratings.csv").open("rb") as file:
        real = [next(file).split(b",") for _ in range(3_001)][1:]
    written = []
    for number, (user, item, rating, time) in enumerate(real):
        fields = [b"7"] * form.fields
        fields[form.user], fields[form.item] = user, item
        if form.rating is not None:
            fields[form.rating] = rating
        if form.time is not None:
            fields[form.time] = time.strip()
        line = bytearray(json_line(form, [one.decode() for one in fields]) if form.keys else sep(form).join(fields))
        if number % 2:
            line[random.integers(len(line))] = random.choice([random.integers(256), ord("\n"), *b'",.:x -0123456789'])
        written.append(bytes(line))
    data = b"\n".join(written)
    grammar = Grammar(form, max_line_bytes=100)
    expected = line_by_line(data, grammar)
    assert in_pieces(data, grammar, chunk_bytes=1 << 20, partition_bytes=1 << 20) == expected
    assert in_pieces(data, grammar, chunk_bytes=5_000, partition_bytes=7_000) == expected
    assert len(expected.rows) + len(expected.rejects) == lines_given(data, form)
    assert len(expected.rows) >= 1_500 - form.header


def sep(form: RatingLines) -> bytes:
    return form.separator.encode()


@pytest.mark.parametrize("size", [4, 61, 997, 4_000, 4_001])
def test_a_line_longer_than_a_chunk_is_rejected_once_and_hides_nothing_else(size: int) -> None:
    data = b"h\n1,2,3,4\n" + b"8" * 9_000 + b"\n2,2,3,4\n" + b"," * 101 + b"\n3,2,3,4"
    grammar = Grammar(CSV, max_line_bytes=100)
    parsed = in_pieces(data, grammar, chunk_bytes=size, partition_bytes=size)
    assert parsed == line_by_line(data, grammar)
    assert [user for _, user, *_ in parsed.rows] == [1, 2, 3]
    assert [(position, reason) for position, _, reason in parsed.rejects] == [
        (10, Reason.TOO_LONG),
        (9_019, Reason.TOO_LONG),
    ]


def test_usual_lines_need_no_grammar() -> None:
    data = b'1,"2","3.5","4"\r\n"1",2,3.5,2005-01-02 03:04:05\n1,2,3.5,\n'
    (table,) = tables(bytes(PADDING) + data, PADDING, offset=100, lines_at_a_time=1_000)
    assert usual(table, FORMS["quoted"], max_line_bytes=100).all()
