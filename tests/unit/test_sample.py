"""Generated dumps of any format: the same bytes for the same arguments, whole or not at all."""

from __future__ import annotations

import hashlib
import math
import operator
import os
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightreel.errors import ConfigurationError, NightreelError
from nightreel.sample import LAYOUTS, Format, Layout, chunks, generate
from nightreel.sample.world.allot import allot
from nightreel.sample.world.catalogue import Catalogue

EVERY_LAYOUT = [(format, layout) for format, layouts in LAYOUTS.items() for layout in layouts]


def digest(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize(("format", "layout"), EVERY_LAYOUT)
def test_same_arguments_same_bytes_another_seed_other_bytes(format: Format, layout: Layout, tmp_path: Path) -> None:
    def made(name: str, seed: int) -> dict[str, str]:
        generate(tmp_path / name, format=format, layout=layout, ratings=700, movies=90, seed=seed, broken_lines=4)
        return digest(tmp_path / name)

    first = made("first", 3)
    assert made("again", 3) == first
    assert not set(made("other", 4).values()) & set(first.values())


@pytest.mark.parametrize("format", ["netflix", "movielens"])
def test_several_processes_write_the_same_bytes(
    format: Format, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "ROWS", 1_500)
    for name, processes in (("one", 1), ("two", 2)):
        generate(tmp_path / name, format=format, ratings=20_000, broken_lines=30, duplicates=20, processes=processes)
    assert digest(tmp_path / "two") == digest(tmp_path / "one")


def test_pieces_come_in_order_from_several_processes() -> None:
    assert list(chunks.in_order(operator.neg, 25, processes=2)) == [-number for number in range(25)]


def test_an_error_in_a_process_is_raised() -> None:
    with pytest.raises(ValueError, match="math domain error"):
        list(chunks.in_order(math.log, 9, processes=2))


def test_a_killed_process_is_one_line() -> None:
    with pytest.raises(NightreelError, match="one of 2 processes was killed"):
        list(chunks.in_order(os._exit, 9, processes=2))


def test_pieces_are_neighbours_of_about_the_same_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "ROWS", 10)
    cut = chunks.cut(np.array([4, 4, 4, 1, 30, 1, 1, 12]))
    assert cut == [range(3), range(3, 5), range(5, 8)]


@given(
    weights=st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=40),
    low=st.integers(1, 5),
    room=st.integers(0, 50),
    filled=st.floats(0, 1),
)
@settings(derandomize=True, deadline=None, max_examples=200)
def test_totals_are_shared_out_exactly(weights: list[float], low: int, room: int, filled: float) -> None:
    n, high = len(weights), low + room
    total = n * low + round(filled * n * room)
    counts = allot(np.array(weights), total=total, low=low, high=high)
    assert counts.sum() == total
    assert counts.min() >= low and counts.max() <= high
    order = np.argsort(weights, kind="stable")
    assert (np.diff(counts[order]) >= -1).all(), "the heavier, the more"


def test_a_smaller_catalogue_is_the_beginning_of_a_larger_one() -> None:
    small, large = (Catalogue.planted(movies=movies, seed=5) for movies in (40, 400))
    assert large.titles[:40] == small.titles
    for name in ("genres", "years", "opens", "quality", "fame"):
        np.testing.assert_array_equal(getattr(large, name)[:40], getattr(small, name))


def test_ratings_of_two_formats_never_share_a_folder_but_descriptions_may_join(tmp_path: Path) -> None:
    generate(tmp_path, format="movielens", ratings=500)
    before = digest(tmp_path)
    with pytest.raises(ConfigurationError, match=r"holds links\.csv, which is movielens; name another folder"):
        generate(tmp_path, format="kmrd", ratings=500, overwrite=True)
    generate(tmp_path, format="metadata", ratings=500, movies=30)
    with pytest.raises(ConfigurationError, match=r"holds credits\.csv already"):
        generate(tmp_path, format="metadata", ratings=500, movies=30)
    after = digest(tmp_path)
    assert after.items() >= before.items()
    assert sorted(after.keys() - before.keys()) == ["credits.csv", "keywords.csv", "movies_metadata.csv"]


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"format": "movielens", "users": 600}, "ratings = 500: 600 users and 250 movies have 600 to 90,000 ratings"),
        ({"format": "kmrd", "duplicates": 300}, "duplicates = 300: must be from 0 to "),
        ({"format": "kmrd", "layout": "zip"}, "layout = zip: kmrd has csv"),
        ({"format": "metadata", "broken_lines": 100_001}, "broken lines = 100,001: must be from 0 to 100,000"),
        ({"format": "metadata", "movies": 20, "duplicates": 21}, "duplicates = 21: must be from 0 to 20, at most one"),
        ({"format": "metadata", "users": 10}, "users = 10: metadata describes films, it has no users"),
        ({"processes": 0}, "processes = 0: must be from 1 to 64"),
        ({"seed": -1}, "seed = -1: must be from 0 to "),
    ],
)
def test_what_cannot_be_met_is_one_line_and_writes_nothing(wrong: dict[str, object], line: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as error:
        generate(tmp_path / "out", **{"ratings": 500, **wrong})
    assert str(error.value).startswith(line)
    assert not (tmp_path / "out").exists()


def test_every_format_has_a_layout() -> None:
    assert set(LAYOUTS) == set(get_args(Format))
    assert {layout for layouts in LAYOUTS.values() for layout in layouts} == set(get_args(Layout))
