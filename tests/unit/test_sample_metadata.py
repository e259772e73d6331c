"""Generated descriptions of films: readable, of the same films as the ratings', and full of what tells the genre."""

from __future__ import annotations

import ast
import csv
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from nightreel.sample import Dump, generate, genre_of
from nightreel.sample.language.titles import GENRES, Genre

MOVIES, BROKEN, DUPLICATES, SEED = 450, 7, 5, 3
# Of 450 films, one in 40 is remade and one in 200 has a namesake of the same year; every 200th is also a 40th.
NAMESAKES = MOVIES // 40

Record = dict[str, str]


@pytest.fixture(scope="module")
def dump(tmp_path_factory: pytest.TempPathFactory) -> Dump:
    out = tmp_path_factory.mktemp("metadata")
    return generate(
        out, format="metadata", ratings=1_000, movies=MOVIES, broken_lines=BROKEN, duplicates=DUPLICATES, seed=SEED
    )


@pytest.fixture(scope="module")
def tmdb(tmp_path_factory: pytest.TempPathFactory) -> Dump:
    out = tmp_path_factory.mktemp("tmdb")
    return generate(out, format="metadata", layout="tmdb_5000", ratings=1_000, movies=MOVIES, seed=SEED)


def read(file: Path) -> tuple[list[str], list[list[str]]]:
    with file.open(encoding="utf-8", newline="") as lines:
        header, *rows = csv.reader(lines)
    return header, rows


def records(file: Path) -> list[Record]:
    """The rows that no fault has gone through."""
    header, rows = read(file)
    whole = [dict(zip(header, row, strict=True)) for row in rows if len(row) == len(header)]
    return [row for row in whole if row["id"].isdigit()]


def test_every_row_but_the_broken_ones_is_whole(dump: Dump) -> None:
    header, rows = read(dump.files[0])
    assert len(rows) == MOVIES + NAMESAKES + DUPLICATES + BROKEN
    good = records(dump.files[0])
    assert len(good) == len(rows) - BROKEN
    assert dump.broken == {"shifted by a field": 3, "cut short": 2, "tail of a row": 2}
    assert sum(len(row) != len(header) for row in rows) == 4


def test_ids_are_distinct_but_for_the_repeated_ones(dump: Dump) -> None:
    ids = Counter(row["id"] for row in records(dump.files[0]))
    assert Counter(ids.values()) == {1: MOVIES + NAMESAKES - DUPLICATES, 2: DUPLICATES}


def test_nested_columns_are_python_literals_in_one_layout_and_json_in_the_other(dump: Dump, tmdb: Dump) -> None:
    nested = ("genres", "production_countries", "production_companies", "spoken_languages")
    assert tmdb.files[0].name == "tmdb_5000_movies.csv"
    for python, other in zip(films_of(dump), films_of(tmdb), strict=True):
        assert python["id"] == other["id"] and python["overview"] == other["overview"]
        for name in nested:
            parsed = ast.literal_eval(python[name])
            assert parsed == json.loads(other[name])
            assert all(part["name"] for part in parsed)


def films_of(dump: Dump) -> list[Record]:
    """Each id once."""
    return list({row["id"]: row for row in reversed(records(dump.files[0]))}.values())[::-1]


def test_keywords_and_credits_are_of_the_same_films(dump: Dump, tmdb: Dump) -> None:
    ids = [film["id"] for film in films_of(tmdb)]
    assert [path.name for path in dump.files_beside] == ["keywords.csv", "credits.csv"]
    _, keywords = read(dump.folder / "keywords.csv")
    _, credits = read(dump.folder / "credits.csv")
    _, tmdb_credits = read(tmdb.folder / "tmdb_5000_credits.csv")
    assert (
        [film for film, _ in keywords] == [film for *_, film in credits] == [film for film, *_ in tmdb_credits] == ids
    )
    for (_, words), film in zip(keywords, films_of(tmdb), strict=True):
        assert ast.literal_eval(words) == json.loads(film["keywords"])
    for (cast, crew, _), (_, _, tmdb_cast, tmdb_crew) in zip(credits, tmdb_credits, strict=True):
        assert ast.literal_eval(cast) == json.loads(tmdb_cast)
        assert [member["job"] for member in ast.literal_eval(crew)] == ["Director"]
        assert ast.literal_eval(crew) == json.loads(tmdb_crew)


def test_holds_the_traps_of_the_real_files(dump: Dump) -> None:
    films = films_of(dump)
    assert any("\n\n" in film["overview"] for film in films)
    assert any('"' in film["overview"] for film in films)
    assert any(not film["overview"] for film in films)
    assert any(film["original_language"] == "ko" and not film["original_title"].isascii() for film in films)
    assert any("\"Studio 'Halcyon'\"" in film["production_companies"] for film in films)
    assert all(re.fullmatch(r"tt\d{7}", film["imdb_id"]) for film in films)
    assert sum(not film["release_date"] for film in films) == 1
    assert np.median([int(film["vote_count"]) for film in films]) > 20
    assert min(int(film["vote_count"]) for film in films) < 10


def test_describes_the_films_of_the_other_formats(dump: Dump, tmp_path: Path) -> None:
    generate(tmp_path / "netflix", ratings=5_000, movies=200, seed=SEED)
    generate(tmp_path / "movielens", format="movielens", ratings=5_000, movies=200, seed=SEED)
    films = {film["id"]: film for film in films_of(dump)}
    _, links = read(tmp_path / "movielens" / "links.csv")
    lines = (tmp_path / "netflix" / "movie_titles.csv").read_text("latin-1").splitlines()
    for (_, imdb, tmdb_id), line in zip(links, lines, strict=True):
        _, year, title = line.split(",", 2)
        if not tmdb_id:
            continue
        film = films[tmdb_id]
        assert (film["imdb_id"], film["title"]) == (f"tt{imdb}", title)
        assert film["release_date"][:4] == year.replace("NULL", "")


def test_namesakes_are_of_another_year_or_ambiguous(dump: Dump) -> None:
    by_title: dict[str, list[Record]] = {}
    for film in films_of(dump):
        by_title.setdefault(film["title"], []).append(film)
    years = [[int(film["release_date"][:4]) for film in films] for films in by_title.values() if len(films) > 1]
    apart = Counter(min(abs(first - second), 5) for first, second in years)
    assert apart == {0: MOVIES // 200, 5: NAMESAKES - MOVIES // 200}


def test_columns_are_those_of_the_real_file(dump: Dump, real_data: Path) -> None:
    header, rows = read(real_data / "movies-metadata" / "movies_metadata.csv")
    assert read(dump.files[0])[0] == header
    real, made = dict(zip(header, rows[0], strict=True)), films_of(dump)[0]
    for name in ("genres", "production_countries", "spoken_languages", "production_companies"):
        assert ast.literal_eval(made[name])[0].keys() == ast.literal_eval(real[name])[0].keys()


@pytest.mark.parametrize("column", ["overview", "keywords"])
def test_a_model_of_words_finds_the_genre(tmdb: Dump, column: str) -> None:
    """Naive Bayes, half of the films against the other half, without the words of the titles."""
    films = films_of(tmdb)
    words = [
        set(re.findall(r"\w{4,}", film[column].lower())) - set(re.findall(r"\w+", film["title"].lower()))
        for film in films
    ]
    genres = [GENRES.index(genre_of(film["title"])) for film in films]
    counts = [
        Counter(word for at in range(0, len(films), 2) if genres[at] == genre for word in words[at])
        for genre in range(6)
    ]
    odd = range(1, len(films), 2)
    found = [
        int(np.argmax([sum(np.log((counted[word] + 0.1) / 50) for word in words[at]) for counted in counts]))
        == genres[at]
        for at in odd
        if words[at]
    ]
    assert len(found) > 200
    assert np.mean(found) > 0.9


def test_genres_name_the_planted_one_first(dump: Dump) -> None:
    names = {
        Genre.SCIENCE_FICTION: "Science Fiction",
        Genre.ROMANCE: "Romance",
        Genre.HORROR: "Horror",
        Genre.WESTERN: "Western",
        Genre.MYSTERY: "Mystery",
        Genre.WILDLIFE: "Documentary",
    }
    for film in films_of(dump):
        assert ast.literal_eval(film["genres"])[0]["name"] == names[genre_of(film["title"])]
