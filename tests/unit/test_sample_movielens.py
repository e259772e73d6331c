"""Generated dumps in MovieLens' format."""

from __future__ import annotations

import csv
import re
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from nightreel.sample import Dump, Genre, generate, genre_of
from nightreel.sample.formats.movielens import movielens_title
from nightreel.sample.language.tags import TAGS
from nightreel.sample.world.period import FIRST_SECOND, LAST_SECOND

RATINGS, USERS, MOVIES, BROKEN = 20_000, 160, 900, 23
ARGUMENTS = {"format": "movielens", "ratings": RATINGS, "users": USERS, "movies": MOVIES, "seed": 3}

Rows = list[list[str]]


@pytest.fixture(scope="module")
def dump(tmp_path_factory: pytest.TempPathFactory) -> Dump:
    return generate(tmp_path_factory.mktemp("movielens"), **ARGUMENTS)


def read(file: Path, header: str) -> Rows:
    with file.open(encoding="utf-8", newline="") as lines:
        first, *rows = csv.reader(lines)
    assert first == header.split(",")
    return rows


def ratings_of(dump: Dump) -> Rows:
    return read(dump.folder / "ratings.csv", "userId,movieId,rating,timestamp")


def movies_of(dump: Dump) -> dict[str, tuple[str, str]]:
    rows = read(dump.folder / "movies.csv", "movieId,title,genres")
    assert len(rows) == MOVIES
    return {movie: (title, genres) for movie, title, genres in rows}


def plain(title: str) -> str:
    """As it stands in no other format."""
    bare = re.sub(r" \(\d{4}\)$", "", title)
    return re.sub(r"^(.*), (The|A)$", r"\2 \1", bare)


def test_ratings_are_sorted_by_user_then_movie_and_no_pair_comes_twice(dump: Dump) -> None:
    pairs = [(int(user), int(movie)) for user, movie, _, _ in ratings_of(dump)]
    assert len(pairs) == dump.ratings == RATINGS
    assert pairs == sorted(set(pairs))


def test_users_count_from_one_and_have_twenty_ratings_or_more(dump: Dump) -> None:
    by_user = Counter(int(user) for user, *_ in ratings_of(dump))
    assert sorted(by_user) == list(range(1, USERS + 1))
    assert dump.users == USERS
    assert min(by_user.values()) == 20


def test_ratings_are_half_stars_at_seconds_of_the_six_years(dump: Dump) -> None:
    rows = ratings_of(dump)
    assert {rating for _, _, rating, _ in rows} == {f"{half / 2:.1f}" for half in range(1, 11)}
    times = [int(time) for *_, time in rows]
    assert min(times) >= FIRST_SECOND and max(times) <= LAST_SECOND
    halves = sum(rating.endswith(".5") for _, _, rating, _ in rows) / RATINGS
    assert 0.2 < halves < 0.4


def test_most_users_rate_in_one_sitting_and_no_film_before_its_year(dump: Dump) -> None:
    seen: dict[str, list[int]] = {}
    titles = movies_of(dump)
    for user, movie, _, time in ratings_of(dump):
        seen.setdefault(user, []).append(int(time))
        if year := re.search(r"\((\d{4})\)$", titles[movie][0]):
            assert int(time) >= (int(year[1]) - 1970) * 365.24 * 86_400 - 86_400
    at_once = sum(max(times) - min(times) <= 2 * 3_600 for times in seen.values()) / USERS
    assert 0.5 < at_once < 0.75


def test_titles_are_written_as_movielens_writes_them(dump: Dump) -> None:
    assert movielens_title("The Ghost of Mournwood", 1999) == "Ghost of Mournwood, The (1999)"
    assert movielens_title("A Kiss in Verona", 1987) == "Kiss in Verona, A (1987)"
    assert movielens_title("Antares Robot", 0) == "Antares Robot"
    titles = [title for title, _ in movies_of(dump).values()]
    assert sum(title[-1] != ")" for title in titles) == 1, "one film has no year"
    assert any(re.search(r", The \(\d{4}\)$", title) for title in titles)
    assert len({genre_of(plain(title)) for title in titles}) == len(Genre)
    text = (dump.folder / "movies.csv").read_text(encoding="utf-8")
    assert re.search(r'^\d+,"[^"]*, The \(\d{4}\)",', text, re.MULTILINE)


def test_genres_name_the_planted_one_among_others(dump: Dump) -> None:
    names = {"Sci-Fi", "Romance", "Horror", "Western", "Mystery", "Documentary"}
    listed = [genres for _, genres in movies_of(dump).values()]
    assert listed.count("(no genres listed)") == MOVIES // 150
    several = [genres.split("|") for genres in listed if genres != "(no genres listed)"]
    assert all(len(names & set(genres)) == 1 and genres == sorted(genres) for genres in several)
    assert 1.5 < sum(map(len, several)) / len(several) < 3


def test_links_have_seven_digits_and_sometimes_no_tmdb_id(dump: Dump) -> None:
    links = read(dump.folder / "links.csv", "movieId,imdbId,tmdbId")
    assert [movie for movie, _, _ in links] == list(movies_of(dump))
    assert all(re.fullmatch(r"\d{7}", imdb) for _, imdb, _ in links)
    assert sum(not tmdb for *_, tmdb in links) == MOVIES // 200
    assert len({imdb for _, imdb, _ in links}) == MOVIES
    ids = [int(movie) for movie, _, _ in links]
    assert ids == sorted(ids) and ids[0] == 1 and ids[-1] > MOVIES, "ascending, with gaps"


def test_tags_are_of_rated_films_and_mostly_tell_the_genre(dump: Dump) -> None:
    rated = {(user, movie) for user, movie, _, _ in ratings_of(dump)}
    tags = read(dump.folder / "tags.csv", "userId,movieId,tag,timestamp")
    titles = movies_of(dump)
    assert 0.005 < len(tags) / RATINGS < 0.08
    assert {(user, movie) for user, movie, _, _ in tags} <= rated
    of_genre = [tag in TAGS[genre_of(plain(titles[movie][0]))] for _, movie, tag, _ in tags]
    assert 0.55 < sum(of_genre) / len(of_genre) < 0.75
    assert '"so good, ""unforgettable"""' in (dump.folder / "tags.csv").read_text()


def test_broken_lines_stand_among_the_good_ones(dump: Dump, tmp_path: Path) -> None:
    spoilt = generate(tmp_path, **ARGUMENTS, broken_lines=BROKEN)
    lines = (tmp_path / "ratings.csv").read_bytes().split(b"\n")[:-1]
    assert lines[0] == b"userId,movieId,rating,timestamp"
    good = [line for line in lines[1:] if re.fullmatch(rb"\d{1,3},\d+,(0\.5|[1-4]\.[05]|5\.0),\d{9,10}", line)]
    assert len(good) == RATINGS and len(lines) - 1 - len(good) == spoilt.broken_lines == BROKEN
    assert sorted(spoilt.broken.values()) == [4, 4, 5, 5, 5]


def test_repeats_come_on_request(tmp_path: Path) -> None:
    dump = generate(tmp_path, **ARGUMENTS, duplicates=40)
    pairs = Counter((user, movie) for user, movie, _, _ in ratings_of(dump))
    assert Counter(pairs.values()) == {1: RATINGS - 80, 2: 40}


def test_the_archive_holds_the_same_files(dump: Dump, tmp_path: Path) -> None:
    packed = generate(tmp_path, **ARGUMENTS, layout="zip")
    assert [path.name for path in tmp_path.iterdir()] == ["ml-sample.zip"] == [path.name for path in packed.files]
    with zipfile.ZipFile(packed.files[0]) as archive:
        assert sorted(archive.namelist()) == [
            f"ml-sample/{name}.csv" for name in ("links", "movies", "ratings", "tags")
        ]
        for name in archive.namelist():
            assert archive.read(name) == (dump.folder / Path(name).name).read_bytes()


@pytest.mark.parametrize(
    ("ratings", "users", "movies"), [(100, 10, 17), (102, 34, 6), (5_400, 100, 90), (900, 15, 100)]
)
def test_small_and_crowded_dumps_are_exact_too(ratings: int, users: int, movies: int, tmp_path: Path) -> None:
    rows = ratings_of(generate(tmp_path, format="movielens", ratings=ratings, users=users, movies=movies))
    assert len(rows) == len({(user, movie) for user, movie, _, _ in rows}) == ratings
