"""The planted tastes: there for a model to find, plain for a person to see."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from nightreel.sample import CROWDS, Format, Genre, generate, genre_of, planted_tastes
from nightreel.sample.language.titles import GENRES, titles_of
from nightreel.sample.world.catalogue import Catalogue
from nightreel.sample.world.ids import movie_ids

RATINGS, SEED = 60_000, 5


class Table(NamedTuple):
    """A row a rating."""

    users: NDArray[np.int64]
    movies: NDArray[np.int64]
    stars: NDArray[np.float64]
    genres: NDArray[np.int64]
    liked: NDArray[np.bool_]


@pytest.fixture(scope="module")
def ratings(tmp_path_factory: pytest.TempPathFactory) -> Table:
    dump = generate(tmp_path_factory.mktemp("tastes"), ratings=RATINGS, seed=SEED)
    movies, rows = 0, []
    for line in dump.files[0].read_text().splitlines():
        if line.endswith(":"):
            movies = int(line[:-1])
        else:
            user, stars, _ = line.split(",")
            rows.append((int(user), movies, int(stars)))
    titles = [line.split(",", 2)[2] for line in (dump.folder / "movie_titles.csv").read_text("latin-1").splitlines()]
    of_movie = [genre_of(title) for title in titles]
    tastes = planted_tastes(RATINGS, seed=SEED)
    return Table(
        users=np.unique([user for user, _, _ in rows], return_inverse=True)[1],
        movies=np.array([movie - 1 for _, movie, _ in rows]),
        stars=np.array([stars for *_, stars in rows], dtype=np.float64),
        genres=np.array([GENRES.index(of_movie[movie - 1]) for _, movie, _ in rows]),
        liked=np.array([of_movie[movie - 1] in tastes[user] for user, movie, _ in rows]),
    )


def test_everybody_likes_one_or_two_genres() -> None:
    tastes = planted_tastes(RATINGS, seed=SEED)
    assert len(tastes) == CROWDS["netflix"].users(RATINGS)
    assert {len(liked) for liked in tastes.values()} == {1, 2}
    for genre in Genre:
        share = sum(genre in liked for liked in tastes.values()) / len(tastes)
        assert 0.15 < share < 0.32


def test_users_rate_what_they_like_more_often_and_a_star_higher(ratings: Table) -> None:
    # Rated at random, about 1.4 of the six genres: 23 %.
    assert 0.35 < ratings.liked.mean() < 0.65
    assert 0.8 < ratings.stars[ratings.liked].mean() - ratings.stars[~ratings.liked].mean() < 1.3


@pytest.mark.parametrize(("format", "file"), [("movielens", "ratings.csv"), ("kmrd", "rates.csv")])
def test_the_other_formats_hold_tastes_too(format: Format, file: str, tmp_path: Path) -> None:
    dump = generate(tmp_path, format=format, ratings=20_000, users=300, movies=500, seed=SEED)
    tastes = planted_tastes(20_000, users=300, seed=SEED, format=format)
    assert len(tastes) == dump.users == 300
    genres = Catalogue.planted(movies=500, seed=SEED).genres
    ids = movie_ids(format, 500, seed=SEED).tolist()
    genre_by_id = {movie: GENRES[genre] for movie, genre in zip(ids, genres.tolist(), strict=True)}
    rows = np.loadtxt(dump.folder / file, delimiter=",", skiprows=1)
    liked = np.array([genre_by_id[int(movie)] in tastes[int(user)] for user, movie, *_ in rows])
    assert 0.35 < liked.mean() < 0.65
    assert rows[liked, 2].mean() - rows[~liked, 2].mean() > 0.8


def test_stars_are_whole_and_spread_as_people_give_them(ratings: Table) -> None:
    shares = np.bincount(ratings.stars.astype(int), minlength=6)[1:] / RATINGS
    assert shares.argmax() == 3
    assert shares.min() > 0.01
    assert 3.5 < ratings.stars.mean() < 3.8


def test_tastes_explain_much_more_than_biases_do_and_noise_remains(ratings: Table) -> None:
    test = np.random.default_rng(0).random(RATINGS) < 0.1
    item_mean = _rmse(ratings, test, users=False, tastes=False)
    baseline = _rmse(ratings, test, users=True, tastes=False)
    with_tastes = _rmse(ratings, test, users=True, tastes=True)
    assert 0.93 < item_mean < 1.05
    assert baseline < item_mean - 0.02
    assert 0.75 < with_tastes < baseline - 0.08


def test_every_genre_has_thousands_of_titles_and_shares_none() -> None:
    every = [title for genre in Genre for title in titles_of(genre)]
    assert len(every) == len(set(every)) > 17_770
    assert all(genre_of(title) is genre for genre in Genre for title in titles_of(genre)[::97])
    with pytest.raises(KeyError):
        genre_of("A Film by Nobody")


def test_titles_stay_within_the_raw_format() -> None:
    for genre in Genre:
        for title in titles_of(genre):
            title.encode("latin-1")
            assert title == title.strip() and "\n" not in title and '"' not in title


def test_no_title_is_that_of_a_real_film(real_data: Path) -> None:
    lines = (real_data / "netflix" / "movie_titles.csv").read_text("latin-1").splitlines()
    real = {_plain(line.split(",", 2)[2]) for line in lines}
    with (real_data / "ml-latest-small" / "movies.csv").open(encoding="utf-8", newline="") as file:
        real |= {_plain(re.sub(r"\(.*?\)", "", row["title"])) for row in csv.DictReader(file)}
    assert len(real) > 20_000
    assert not real & {_plain(title) for genre in Genre for title in titles_of(genre)}


def _plain(title: str) -> str:
    return re.sub(r"\W+", " ", title).strip().lower()


def _rmse(ratings: Table, test: NDArray[np.bool_], *, users: bool, tastes: bool) -> float:
    """Of shrunken means on the training rows: of movies, then users, then the liked and other genres of each user."""
    groups = [ratings.movies] + [ratings.users] * users + [ratings.users * 2 + ratings.liked] * tastes
    predicted = np.full(RATINGS, ratings.stars[~test].mean())
    for _ in range(5):
        for group in groups:
            left = (ratings.stars - predicted)[~test]
            size = int(group.max()) + 1
            counts = np.bincount(group[~test], minlength=size)
            predicted += (np.bincount(group[~test], left, size) / (counts + 5))[group]
    return float(np.sqrt(np.mean((np.clip(predicted, 1, 5) - ratings.stars)[test] ** 2)))
