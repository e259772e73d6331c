"""The titles file: two commas split a line, the rest is title."""

from __future__ import annotations

from pathlib import Path

import pytest

from nightreel.sources.netflix.source import Title, TitleReason, parse_title, parse_titles
from nightreel.sources.survey import Rejected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"1,2003,Dinosaur Planet", Title(1, "Dinosaur Planet", 2003)),
        (
            b"72,1974,Strangers, A Stranger, His Own\r",
            Title(72, "Strangers, A Stranger, His Own", 1974),
        ),
        (
            b"4388,NULL,Ancient Rome: Pompeii",
            Title(4388, "Ancient Rome: Pompeii", None),
        ),
        (b'5,1999,A "quoted" title', Title(5, 'A "quoted" title', 1999)),
        (b"6,1999,11:14", Title(6, "11:14", 1999)),
        (b"7,1999,Am\xe9lie", Title(7, "Amélie", 1999)),
        ("7,1999,Amélie".encode(), Title(7, "Amélie", 1999)),
        (b"8,1999", TitleReason.FORM),
        (b"8,1999, ", TitleReason.FORM),
        (b"8,99,Title", TitleReason.FORM),
        (b"x,1999,Title", TitleReason.FORM),
        (b"0,1999,Title", TitleReason.ITEM_ID),
        (b"9,1999,Ti\x00tle", TitleReason.BINARY),
        (b"9,1999,\x1b[31mTitle", TitleReason.BINARY),
        (b"9,1999,\x9b31mTitle", TitleReason.BINARY),
        ("9,1999,\x9b31mTitle".encode(), TitleReason.BINARY),
        (b"9,1999,Ti\tle", TitleReason.BINARY),
    ],
)
def test_a_line_of_titles(line: bytes, expected: object) -> None:
    assert parse_title(line) == expected


def test_a_movie_has_one_title_and_rejects_tell_where_they_stand() -> None:
    lines = [b"1,2000,One\n", b"\n", b"1,2001,Again\n", b"2,2000,Two\n", b"3,2000," + b"x" * 60]
    assert list(parse_titles(lines, max_line_bytes=60)) == [
        Title(1, "One", 2000),
        Rejected(12, "1,2001,Again", TitleReason.REPEATED),
        Title(2, "Two", 2000),
        Rejected(36, "3,2000," + "x" * 60, TitleReason.TOO_LONG),
    ]


def test_the_prizes_own_titles(real_data: Path) -> None:
    with (real_data / "netflix" / "movie_titles.csv").open("rb") as file:
        lines = list(parse_titles(file, max_line_bytes=1_000))
    titles = [line for line in lines if isinstance(line, Title)]
    assert len(lines) == len(titles) == 17_770
    assert sum(title.year is None for title in titles) == 7
    assert sum("," in title.title for title in titles) == 336
