"""Generated dumps: exactly what was asked for, the same for the same seed, with tastes that a model can learn."""

from __future__ import annotations

import csv
import hashlib
import re
from collections import Counter, defaultdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightreel.errors import ConfigurationError
from nightreel.sample import Dump, Format, Genre, Layout, generate, genre_of
from nightreel.sample.titles import titles_of
from nightreel.sample.world import MOST_RATED, MOVIELENS, NETFLIX, Lottery, allot

RATINGS, BROKEN, DUPLICATES, SEED = 20_000, 23, 9, 3
FORMATS: tuple[Format, ...] = ("netflix", "movielens")
HEADER = b"userId,movieId,rating,timestamp"


class Row(NamedTuple):
    movie: int
    user: int
    stars: float
    when: datetime


class Read(NamedTuple):
    """A dump as the plainest reader sees it."""

    dump: Dump
    rows: list[Row]
    broken: list[bytes]


def read(dump: Dump) -> Read:
    rows, broken = [], []
    for file in dump.files:
        movie = b""
        for line in file.read_bytes().split(b"\n")[:-1]:
            if line.endswith(b":") and line[:-1].isdigit():
                movie = line[:-1]
            elif line != HEADER:
                fields = [line.split(b",")[0], movie, *line.split(b",")[1:]] if movie else line.split(b",")
                row = good_row(fields)
                rows.append(row) if row else broken.append(line)
    return Read(dump, rows, broken)


def good_row(fields: list[bytes]) -> Row | None:
    try:
        user, movie, stars, when = (field.decode("ascii") for field in fields)
        time = datetime.fromtimestamp(int(when), UTC) if when.isdigit() else datetime.fromisoformat(f"{when}T00Z")
        row = Row(int(movie), int(user), float(stars), time)
    except ValueError:
        return None
    return row if 1 <= row.user < 2**63 and 0.5 <= row.stars <= 5 else None


def netflix_titles(dump: Dump) -> dict[int, tuple[str, str]]:
    """Year and title by movie."""
    lines = (dump.folder / "movie_titles.csv").read_bytes().decode("latin-1").splitlines()
    return {int(movie): (year, title) for movie, year, title in (line.split(",", 2) for line in lines)}


def movielens_titles(dump: Dump) -> dict[int, tuple[str, str]]:
    """Title and genres by movie."""
    with (dump.folder / "movies.csv").open(encoding="utf-8", newline="") as file:
        return {int(row["movieId"]): (row["title"], row["genres"]) for row in csv.DictReader(file)}


def spelt_as_netflix(title: str) -> str:
    return re.sub(r"^(.*), (The|A)$", r"\2 \1", re.sub(r" \(\d{4}\)$", "", title))


def genres(dump: Dump) -> dict[int, Genre]:
    if (dump.folder / "movies.csv").exists():
        return {movie: genre_of(spelt_as_netflix(title)) for movie, (title, _) in movielens_titles(dump).items()}
    return {movie: genre_of(title) for movie, (_, title) in netflix_titles(dump).items()}


def digests(folder: Path) -> set[str]:
    return {hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def netflix(tmp_path_factory: pytest.TempPathFactory) -> Read:
    out = tmp_path_factory.mktemp("netflix")
    return read(generate(out, ratings=RATINGS, seed=SEED, broken_lines=BROKEN, duplicates=DUPLICATES))


@pytest.fixture(scope="module")
def movielens(tmp_path_factory: pytest.TempPathFactory) -> Read:
    out, format = tmp_path_factory.mktemp("movielens"), "movielens"
    return read(generate(out, format=format, ratings=RATINGS, seed=SEED, broken_lines=BROKEN, duplicates=DUPLICATES))


@pytest.fixture(params=FORMATS)
def either(request: pytest.FixtureRequest) -> Read:
    found: Read = request.getfixturevalue(request.param)
    return found


def test_holds_exactly_the_good_lines_asked_for(either: Read) -> None:
    assert len(either.rows) == either.dump.ratings == RATINGS
    assert len({row.user for row in either.rows}) == either.dump.users
    assert len(genres(either.dump)) == either.dump.movies
    assert {row.movie for row in either.rows} <= set(genres(either.dump))


def test_holds_exactly_the_broken_lines_asked_for_of_every_kind(either: Read) -> None:
    fields = 3 if (either.dump.folder / "probe.txt").exists() else 4

    def kind(line: bytes) -> str:
        parts = line.split(b",")
        if max(line) > 127:
            return "binary"
        if len(parts) < fields:
            return "truncated"
        if not parts[0].isdigit() or int(parts[0]) >= 2**63:
            return "bad id"
        return "impossible date" if 0.5 <= float(parts[-2]) <= 5 else "rating outside the scale"

    assert len(either.broken) == BROKEN
    assert Counter(map(kind, either.broken)) == either.dump.broken
    assert sorted(either.dump.broken.values()) == [4, 4, 5, 5, 5]


def test_repeats_exactly_the_pairs_asked_for_later_and_with_other_stars(either: Read) -> None:
    pairs: dict[tuple[int, int], list[Row]] = defaultdict(list)
    for row in either.rows:
        pairs[row.movie, row.user].append(row)
    repeated = [rows for rows in pairs.values() if len(rows) > 1]
    assert [len(rows) for rows in repeated] == [2] * DUPLICATES
    assert all(again.when > first.when and again.stars != first.stars for again, first in repeated)


def test_rows_are_in_the_order_of_their_format_and_on_its_scale(netflix: Read, movielens: Read) -> None:
    movies = [row.movie for row in netflix.rows]
    assert movies == sorted(movies) and set(movies) == set(range(1, netflix.dump.movies + 1))
    assert {row.stars for row in netflix.rows} == {1, 2, 3, 4, 5}
    pairs = [(row.user, row.movie) for row in movielens.rows]
    assert pairs == sorted(pairs) and min(Counter(user for user, _ in pairs).values()) == 20
    assert {row.stars for row in movielens.rows} == {half / 2 for half in range(1, 11)}


def test_rates_nothing_before_its_year_or_outside_the_six_years(netflix: Read, movielens: Read) -> None:
    years = {movie: int(year) for movie, (year, _) in netflix_titles(netflix.dump).items() if year != "NULL"}
    assert all(row.when.year >= years.get(row.movie, 0) for row in netflix.rows)
    for dump in (netflix, movielens):
        days = [row.when.date() for row in dump.rows]
        assert date(1999, 11, 11) <= min(days) and max(days) <= date(2005, 12, 31)
        assert max(days) > date(2005, 12, 1)


def test_netflix_titles_have_commas_accents_and_an_unknown_year(netflix: Read) -> None:
    titles = netflix_titles(netflix.dump)
    assert list(titles) == list(range(1, netflix.dump.movies + 1))
    assert len({title for _, title in titles.values()}) == netflix.dump.movies
    assert [year for year, _ in titles.values()].count("NULL") == 1
    assert any("," in title for _, title in titles.values())
    assert any(not title.isascii() for _, title in titles.values())


def test_movielens_titles_end_in_article_and_year_and_name_the_planted_genre(movielens: Read) -> None:
    titles = movielens_titles(movielens.dump)
    assert any(re.search(r", The \(\d{4}\)$", title) for title, _ in titles.values())
    listed = {movie: names.split("|") for movie, (_, names) in titles.items() if names != "(no genres listed)"}
    assert len(titles) - len(listed) == len(titles) // 150
    assert all(genre in listed[movie] for movie, genre in genres(movielens.dump).items() if movie in listed)
    assert {len(names) for names in listed.values()} == {1, 2}


def test_probe_names_rated_pairs_and_qualifying_unrated_ones(netflix: Read) -> None:
    def pairs(name: str) -> list[tuple[int, str]]:
        movie, found = 0, []
        for line in (netflix.dump.folder / name).read_text().splitlines():
            if line.endswith(":"):
                movie = int(line[:-1])
            else:
                found.append((movie, line))
        return found

    rated = {(row.movie, row.user) for row in netflix.rows}
    probe = [(movie, int(user)) for movie, user in pairs("probe.txt")]
    asked = [(movie, *line.split(",")) for movie, line in pairs("qualifying.txt")]
    assert len(probe) == len(set(probe)) and set(probe) <= rated
    assert not {(movie, int(user)) for movie, user, _ in asked} & rated
    assert all(date.fromisoformat(day) >= date(2004, 12, 31) for _, _, day in asked)
    assert all(0.007 < len(found) / RATINGS < 0.021 for found in (probe, asked))


@pytest.mark.parametrize(
    ("format", "layout"), [("netflix", "combined"), ("netflix", "training_set"), ("movielens", "combined")]
)
def test_same_arguments_same_bytes_other_seed_other_bytes(format: Format, layout: Layout, tmp_path: Path) -> None:
    def made(name: str, seed: int) -> set[str]:
        generate(tmp_path / name, format=format, layout=layout, ratings=700, seed=seed, broken_lines=4, duplicates=2)
        return digests(tmp_path / name)

    first = made("first", 3)
    assert made("again", 3) == first
    assert not made("other", 4) & first


def test_training_set_has_a_file_a_movie(tmp_path: Path) -> None:
    split = generate(tmp_path, ratings=RATINGS, seed=SEED, broken_lines=BROKEN, layout="training_set")
    names = [str(file.relative_to(tmp_path)) for file in split.files]
    assert names == [f"training_set/mv_{movie:07d}.txt" for movie in range(1, split.movies + 1)]
    assert all(file.read_bytes().startswith(b"%d:\n" % movie) for movie, file in enumerate(split.files, start=1))
    found = read(split)
    assert (len(found.rows), len(found.broken)) == (RATINGS, BROKEN)


def test_large_dumps_come_in_several_files_of_whole_movies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nightreel.sample.formats.RATINGS_PER_FILE", 6_000)
    monkeypatch.setattr("nightreel.sample.formats.ROWS", 1_000)
    several = generate(tmp_path, ratings=RATINGS, seed=SEED)
    assert [file.name for file in several.files] == [f"combined_data_{number}.txt" for number in range(1, 5)]
    assert all(re.match(rb"\d+:\n\d+,", file.read_bytes()) for file in several.files)
    found = read(several)
    assert len(found.rows) == len({row[:2] for row in found.rows}) == RATINGS
    shares = [file.stat().st_size / several.files[0].stat().st_size for file in several.files]
    assert max(shares) < 1.6 * min(shares)


@pytest.mark.parametrize("ratings", [100, 101, 999])
@pytest.mark.parametrize("format", FORMATS)
def test_small_dumps_are_exact_too(format: Format, ratings: int, tmp_path: Path) -> None:
    found = read(generate(tmp_path, format=format, ratings=ratings))
    assert len(found.rows) == len({row[:2] for row in found.rows}) == ratings
    assert not found.broken


def test_ratings_of_any_number_fit_their_users_and_movies() -> None:
    for ratings in np.geomspace(100, 1_000_000_000, 200).astype(int):
        users, movies = NETFLIX.size(ratings)
        assert movies <= ratings <= movies * int(MOST_RATED * users)
        users, movies = MOVIELENS.size(ratings)
        assert users <= ratings <= users * int(MOST_RATED * movies)


def test_tastes_explain_much_more_than_biases_do(either: Read) -> None:
    users = np.unique([row.user for row in either.rows], return_inverse=True)[1]
    movies = np.array([row.movie for row in either.rows])
    genre = np.unique([genres(either.dump)[row.movie] for row in either.rows], return_inverse=True)[1]
    stars = np.array([row.stars for row in either.rows])
    test = np.random.default_rng(0).random(RATINGS) < 0.1

    def rmse(*groups: np.ndarray) -> float:
        """Of shrunken means of the groups, learned in turn from what the others leave over."""
        predicted = np.full(RATINGS, stars[~test].mean())
        for group in groups * 5:
            left, size = (stars - predicted)[~test], int(group.max()) + 1
            predicted += (np.bincount(group[~test], left, size) / (np.bincount(group[~test], minlength=size) + 5))[
                group
            ]
        return float(np.sqrt(np.mean((np.clip(predicted, 1, 5) - stars)[test] ** 2)))

    item_mean, baseline = rmse(movies), rmse(movies, users)
    assert 0.93 < item_mean < 1.1
    assert baseline < item_mean - 0.02
    assert 0.8 < rmse(movies, users, users * len(Genre) + genre) < baseline - 0.04


def test_users_rate_a_genre_or_two_much_more_often(either: Read) -> None:
    of_movie = genres(either.dump)
    seen: dict[int, Counter[Genre]] = defaultdict(Counter)
    for row in either.rows:
        seen[row.user][of_movie[row.movie]] += 1
    active = [counts for counts in seen.values() if counts.total() >= 60]
    favourite = np.mean([counts.most_common(1)[0][1] / counts.total() for counts in active])
    everyone = sum(active, Counter())
    assert favourite > 0.38, "about 4 in 9 of those who like one genre"
    assert max(everyone.values()) / everyone.total() < 0.33, "no genre is everyone's"


def test_popularity_and_activity_have_long_tails(either: Read) -> None:
    for counts in (Counter(row.movie for row in either.rows), Counter(row.user for row in either.rows)):
        ascending = sorted(counts.values())
        assert ascending[-len(ascending) // 20] > 2.5 * ascending[len(ascending) // 2]


@pytest.mark.parametrize("count", [6, 40])
def test_draws_are_distinct_and_follow_the_weights(count: int) -> None:
    rng = np.random.default_rng(1)
    lottery = Lottery(np.array([np.ones(64), np.where(np.arange(64) < 8, 9.0, 1.0)]))
    drawn = [lottery.draw(1, count, rng) for _ in range(400)]
    assert all(len(set(some.tolist())) == count for some in drawn)
    times = np.bincount(np.concatenate(drawn), minlength=64)
    assert times[:8].mean() > 1.5 * times[8:].mean()
    assert times[8:].max() < 2 * times[8:].min() + 40


@given(
    weights=st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=40),
    low=st.integers(1, 5),
    room=st.integers(0, 50),
    filled=st.floats(0, 1),
)
@settings(derandomize=True, deadline=None, max_examples=100)
def test_totals_are_shared_out_exactly(weights: list[float], low: int, room: int, filled: float) -> None:
    n, high = len(weights), low + room
    total = n * low + round(filled * n * room)
    counts = allot(np.array(weights), total=total, low=low, high=high)
    assert counts.sum() == total
    assert counts.min() >= low and counts.max() <= high
    assert (np.diff(counts[np.argsort(weights, kind="stable")]) >= -1).all(), "the heavier, the more"


def test_every_genre_has_thousands_of_titles_of_its_own_that_no_real_movie_has(real_data: Path) -> None:
    def plain(title: str) -> str:
        return re.sub(r"\W+", " ", title).strip().lower()

    every = {plain(title) for genre in Genre for title in titles_of(genre)}
    assert len(every) == sum(len(titles_of(genre)) for genre in Genre) > 17_770
    with pytest.raises(KeyError):
        genre_of("A Film by Nobody")
    lines = (real_data / "netflix" / "movie_titles.csv").read_text("latin-1").splitlines()
    real = {plain(line.split(",", 2)[2]) for line in lines}
    with (real_data / "ml-latest-small" / "movies.csv").open(encoding="utf-8", newline="") as file:
        real |= {plain(re.sub(r"\(.*?\)", "", row["title"])) for row in csv.DictReader(file)}
    assert len(real) > 20_000 and not real & every


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"ratings": 99}, "ratings = 99: must be from 100 to 1,000,000,000"),
        ({"seed": -1}, "seed = -1: must be from 0 to "),
        ({"broken_lines": 501}, "broken lines = 501: must be from 0 to 500"),
        ({"duplicates": 400}, "duplicates = 400: must be from 0 to "),
        ({"format": "movielens", "layout": "training_set"}, "layout = training_set: movielens has no layouts"),
    ],
)
def test_what_cannot_be_met_is_one_line_and_writes_nothing(wrong: dict[str, object], line: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as error:
        generate(tmp_path / "out", **{"ratings": 500, **wrong})
    assert str(error.value).startswith(line)
    assert not (tmp_path / "out").exists()
