"""Generated dumps in KMRD's format."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from nightreel.sample import Dump, Genre, generate, genre_of
from nightreel.sample.language.korean import korean_title
from nightreel.sample.language.titles import titles_of

RATINGS, USERS, MOVIES, DUPLICATES, BROKEN = 12_000, 4_000, 300, 500, 12


@pytest.fixture(scope="module")
def dump(tmp_path_factory: pytest.TempPathFactory) -> Dump:
    return generate(
        tmp_path_factory.mktemp("kmrd"),
        format="kmrd",
        ratings=RATINGS,
        users=USERS,
        movies=MOVIES,
        duplicates=DUPLICATES,
        broken_lines=BROKEN,
        seed=3,
    )


def read(dump: Dump, name: str, header: str) -> list[list[str]]:
    separator = "\t" if name.endswith(".txt") else ","
    first, *lines = (dump.folder / name).read_text(encoding="utf-8").removesuffix("\n").split("\n")
    assert first.split(separator) == header.split(",")
    rows = [line.split(separator) for line in lines]
    assert all(len(row) == len(header.split(",")) for row in rows)
    return rows


def good_rates(dump: Dump) -> list[tuple[int, int, int, int]]:
    lines = (dump.folder / "rates.csv").read_bytes().split(b"\n")
    assert lines[0] == b"user,movie,rate,time" and lines[-1] == b""
    good = [line for line in lines[1:-1] if re.fullmatch(rb"\d{1,4},1\d{4},([1-9]|10),\d{9,10}", line)]
    assert len(lines) - 2 - len(good) == BROKEN
    return [tuple(map(int, line.split(b","))) for line in good]


def test_rates_are_exact_sorted_and_whole_minutes(dump: Dump) -> None:
    rows = good_rates(dump)
    assert len(rows) == dump.ratings == RATINGS
    assert sorted({user for user, *_ in rows}) == list(range(USERS))
    assert [row[:2] for row in rows] == sorted(row[:2] for row in rows)
    assert all(time % 60 == 0 for *_, time in rows)
    assert {movie for _, movie, _, _ in rows} <= set(range(10_001, 10_001 + MOVIES))


def test_repeats_are_exact_and_later(dump: Dump) -> None:
    rows = good_rates(dump)
    assert RATINGS - len({row[:2] for row in rows}) == DUPLICATES == dump.duplicates
    again = [(first, second) for first, second in pairwise(rows) if first[:2] == second[:2]]
    assert len(again) == DUPLICATES
    assert all(first[3] < second[3] for first, second in again)


def test_most_rates_are_tens_and_ones_outnumber_twos(dump: Dump) -> None:
    shares = {rate: count / RATINGS for rate, count in Counter(rate for _, _, rate, _ in good_rates(dump)).items()}
    assert 0.5 < shares[10] < 0.75
    assert shares[9] > shares[7] > shares[5]
    assert shares[1] > 4 * shares.get(2, 0)


def test_films_have_both_titles_and_sometimes_no_year(dump: Dump) -> None:
    films = read(dump, "movies.txt", "movie,title,title_eng,year,grade")
    assert [int(film[0]) for film in films] == list(range(10_001, 10_001 + MOVIES))
    english = [re.sub(r" , \d{4}$", "", film[2]) for film in films]
    assert len({genre_of(title) for title in english}) == len(Genre)
    assert [film[1] for film in films] == [korean_title(title) for title in english]
    years = [(int(film[2][-4:]), int(film[3])) for film in films if film[3] and film[2][-4:].isdigit()]
    assert all(made <= shown <= 2005 for made, shown in years)
    assert 0.1 < sum(not film[3] for film in films) / MOVIES < 0.3
    assert any(not film[4] for film in films)


def test_every_film_has_genres_countries_and_a_cast_of_known_people(dump: Dump) -> None:
    movies = {str(number) for number in range(10_001, 10_001 + MOVIES)}
    assert {movie for movie, _ in read(dump, "genres.csv", "movie,genre")} == movies
    assert {movie for movie, _ in read(dump, "countries.csv", "movie,country")} == movies
    castings = read(dump, "castings.csv", "movie,people,order,leading")
    people = read(dump, "peoples.txt", "people,korean,original")
    assert {person for _, person, _, _ in castings} == {person for person, _, _ in people}
    assert {movie for movie, *_ in castings} == movies
    assert all(int(order) == 1 and leading == "1" for _, _, order, leading in castings if order == "1")
    assert all(korean for _, korean, _ in people)
    assert any(not original for *_, original in people)


def test_casts_tell_the_genre(dump: Dump) -> None:
    genres = dict(reversed(read(dump, "genres.csv", "movie,genre")))
    seen: dict[str, set[str]] = {}
    for movie, person, _, _ in read(dump, "castings.csv", "movie,people,order,leading"):
        seen.setdefault(person, set()).add(genres[movie])
    assert all(len(of) == 1 for of in seen.values())
    assert sum(len(of) for of in seen.values()) > 500


def test_every_title_has_a_korean_one_of_its_own() -> None:
    every = [title for genre in Genre for title in titles_of(genre)]
    korean = {korean_title(title) for title in every}
    assert len(korean) == len(every)
    assert korean_title("The Ghost of Mournwood") == "몬우드의 유령"
    with pytest.raises(KeyError):
        korean_title("A Film by Nobody")


def test_columns_are_those_of_the_real_files(dump: Dump, real_data: Path) -> None:
    for file in (*dump.files, *dump.files_beside):
        with (real_data / "kmrd-small" / file.name).open(encoding="utf-8") as real, file.open(encoding="utf-8") as made:
            assert made.readline() == real.readline()
