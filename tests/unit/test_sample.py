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

from nightreel.sample import Dump, Format, Genre, Layout, generate, genre_of
from nightreel.sample.titles import titles_of
from nightreel.sample.world import MOST_RATED, MOVIELENS, NETFLIX, Lottery

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


def kinds(found: Read) -> Counter[str]:
    """How many of the broken lines are of each kind, by what is wrong with them."""
    fields = 4 if found.dump.files[0].name == "ratings.csv" else 3

    def kind(line: bytes) -> str:
        parts = line.split(b",")
        if max(line, default=0) > 127:
            return "binary"
        if len(parts) < fields:
            return "truncated" if parts[0].isdigit() else "empty"
        if not parts[0].isdigit() or int(parts[0]) >= 2**63:
            return "bad id"
        return "impossible date" if 0.5 <= float(parts[-2]) <= 5 else "rating outside the scale"

    return Counter(map(kind, found.broken))


def test_holds_exactly_the_broken_lines_asked_for_of_every_kind(either: Read) -> None:
    assert kinds(either) == either.dump.broken
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


def pairs_of(file: Path) -> list[tuple[int, str]]:
    """Movie and line of probe.txt or qualifying.txt."""
    movie, found = 0, []
    for line in file.read_text().splitlines():
        if line.endswith(":"):
            movie = int(line[:-1])
        else:
            found.append((movie, line))
    return found


def test_probe_names_rated_pairs_and_qualifying_unrated_ones(netflix: Read) -> None:
    rated = {(row.movie, row.user) for row in netflix.rows}
    probe = [(movie, int(user)) for movie, user in pairs_of(netflix.dump.folder / "probe.txt")]
    asked = [(movie, *line.split(",")) for movie, line in pairs_of(netflix.dump.folder / "qualifying.txt")]
    assert set(probe) <= rated
    assert not {(movie, int(user)) for movie, user, _ in asked} & rated
    assert all(date.fromisoformat(day) >= date(2004, 12, 31) for _, _, day in asked)
    assert all(0.007 < len(found) / RATINGS < 0.021 for found in (probe, asked))


def test_probe_names_a_repeated_pair_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nightreel.sample.formats._PROBED", 1.0)
    found = read(generate(tmp_path, ratings=1_000, duplicates=40))
    probe = pairs_of(tmp_path / "probe.txt")
    assert len(probe) == len(set(probe)) > 400
    assert len({row[:2] for row in found.rows}) == 960


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
    found = read(generate(tmp_path, format=format, ratings=ratings, broken_lines=ratings))
    assert len(found.rows) == len({row[:2] for row in found.rows}) == len(found.broken) == ratings
    assert kinds(found) == found.dump.broken


def test_ratings_of_any_number_fit_their_users_and_movies() -> None:
    for ratings in np.geomspace(100, 1_000_000_000, 200).astype(int):
        users, movies = NETFLIX.size(ratings)
        assert movies <= ratings <= movies * int(MOST_RATED * users)
        users, movies = MOVIELENS.size(ratings)
        assert users <= ratings <= users * int(MOST_RATED * movies)


class Columns(NamedTuple):
    """The rows as positions of users, movies and genres, and as stars."""

    users: np.ndarray
    movies: np.ndarray
    genres: np.ndarray
    stars: np.ndarray

    @classmethod
    def of(cls, found: Read) -> Columns:
        of_movie = genres(found.dump)
        columns = zip(*((row.user, row.movie, of_movie[row.movie]) for row in found.rows), strict=True)
        positions = (np.unique(column, return_inverse=True)[1] for column in columns)
        return cls(*positions, np.array([row.stars for row in found.rows]))


def learned(rows: Columns, train: np.ndarray, *groups: np.ndarray) -> np.ndarray:
    """Stars of every row by shrunken means of the groups, learned in turn from what the others leave over."""
    predicted = np.full(RATINGS, rows.stars[train].mean())
    for group in groups * 5:
        left, size = (rows.stars - predicted)[train], int(group.max()) + 1
        predicted += (np.bincount(group[train], left, size) / (np.bincount(group[train], minlength=size) + 5))[group]
    return predicted


def test_tastes_explain_much_more_than_biases_do(either: Read) -> None:
    rows = Columns.of(either)
    test = np.random.default_rng(0).random(RATINGS) < 0.1

    def rmse(*groups: np.ndarray) -> float:
        left = np.clip(learned(rows, ~test, *groups), 1, 5) - rows.stars
        return float(np.sqrt(np.mean(left[test] ** 2)))

    item_mean, baseline = rmse(rows.movies), rmse(rows.movies, rows.users)
    tastes = rmse(rows.movies, rows.users, rows.users * len(Genre) + rows.genres)
    assert 0.93 < item_mean < 1.1
    assert baseline < item_mean - 0.01
    assert 0.8 < tastes < baseline - 0.04


def test_users_rate_more_often_what_they_rate_higher(either: Read) -> None:
    rows = Columns.of(either)
    cells = rows.users * len(Genre) + rows.genres
    left = rows.stars - learned(rows, np.ones(RATINGS, dtype=bool), rows.movies, rows.users)
    n = np.bincount(cells, minlength=(rows.users.max() + 1) * len(Genre))
    higher = np.bincount(cells, left, n.size) / np.maximum(n, 1)
    expected = np.outer(np.bincount(rows.users), np.bincount(rows.genres)).ravel() / RATINGS
    often = (n >= 5) & (expected >= 3)
    assert often.sum() > 300
    assert np.corrcoef(np.log(n[often] / expected[often]), higher[often])[0, 1] > 0.4


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
