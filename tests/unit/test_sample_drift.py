"""What moves over the years in a generated dump: fashions, each user's tastes, and what is popular."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nightreel.sample import CROWDS, generate, genre_of
from nightreel.sample.language.titles import GENRES
from nightreel.sample.world.ids import user_ids
from nightreel.sample.world.opinions import Opinions
from nightreel.sample.world.period import DAYS, FIRST_DAY

# Few users with many ratings: their own drifts are to be seen.
RATINGS, USERS, MOVIES, SEED = 60_000, 100, 1_200, 11


@pytest.fixture(scope="module")
def planted() -> Opinions:
    return Opinions.planted(users=USERS, movies=MOVIES, crowd=CROWDS["netflix"], seed=SEED)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Grain rating: user, movie, genre, day, and `left`, the stars that user and genre, and movie, do not explain."""
    dump = generate(tmp_path_factory.mktemp("drift"), ratings=RATINGS, users=USERS, movies=MOVIES, seed=SEED)
    titles = [line.split(",", 2)[2] for line in (dump.folder / "movie_titles.csv").read_text("latin-1").splitlines()]
    rows = pd.DataFrame(lines_of(dump.files[0]), columns=["movie", "user", "stars", "day"])
    rows["genre"] = [GENRES.index(genre_of(titles[movie - 1])) for movie in rows["movie"]]
    rows["left"] = rows["stars"] - rows["stars"].mean()
    for _ in range(4):
        for group in (["movie"], ["user", "genre"]):
            rows["left"] -= rows.groupby(group)["left"].transform("mean")
    return rows


def lines_of(file: Path) -> list[tuple[int, int, int, int]]:
    movie, rows = 0, []
    for line in file.read_text().splitlines():
        if line.endswith(":"):
            movie = int(line[:-1])
        else:
            user, stars, day = line.split(",")
            rows.append((movie, int(user), int(stars), (date.fromisoformat(day) - FIRST_DAY).days))
    return rows


def test_genres_rise_and_fall_as_planted(rows: pd.DataFrame, planted: Opinions) -> None:
    quarters = rows["day"] // 91
    seen = rows.groupby(["genre", quarters])["left"].mean()
    expected = np.array(
        [planted.fashion[genre, quarter * 91 : quarter * 91 + 91].mean() for genre, quarter in seen.index]
    )
    weights = rows.groupby(["genre", quarters]).size().to_numpy()
    often = weights > 100
    assert often.sum() > 60
    assert np.corrcoef(seen[often], expected[often])[0, 1] > 0.8


def test_who_knows_the_date_predicts_better(rows: pd.DataFrame) -> None:
    held_out = np.random.default_rng(0).random(len(rows)) < 0.2
    learned = rows[~held_out].groupby(["genre", rows["day"] // 91])["left"].mean()
    known = pd.MultiIndex.from_arrays([rows["genre"], rows["day"] // 91])[held_out]
    guess = learned.reindex(known).fillna(0.0).to_numpy()
    left = rows["left"][held_out].to_numpy()
    without, with_date = np.sqrt(np.mean(left**2)), np.sqrt(np.mean((left - guess) ** 2))
    assert with_date < without - 0.01


def test_tastes_drift_in_straight_lines_as_planted(rows: pd.DataFrame, planted: Opinions) -> None:
    rows = rows.assign(left=rows["left"] - rows.groupby(["genre", rows["day"] // 91])["left"].transform("mean"))
    ids = {user: place for place, user in enumerate(user_ids("netflix", USERS, seed=SEED).tolist())}
    seen, expected = [], []
    for (user, genre), group in rows.groupby(["user", "genre"]):
        if len(group) > 150 and np.ptp(group["day"]) > 1_000:
            seen.append(np.polyfit(group["day"] / DAYS, group["left"], 1)[0])
            expected.append(planted.audience.drift[genre, ids[user]])
    assert len(seen) > 40
    assert np.corrcoef(seen, expected)[0, 1] > 0.6


def test_some_genres_are_rated_early_and_others_late(rows: pd.DataFrame, planted: Opinions) -> None:
    late = rows.groupby("genre")["day"].median()
    assert np.corrcoef(late, planted.pace)[0, 1] < -0.8, "the higher the power, the earlier"
    assert np.ptp(late) > 100
