"""Who rates how much, and what is rated how often: as unevenly as in real datasets of the same size."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from nightreel.sample import Format, generate


class Real(NamedTuple):
    format: Format
    folder: str
    file: str
    ratings: int
    users: int
    movies: int
    duplicates: int


REAL = [
    Real("movielens", "ml-latest-small", "ratings.csv", 100_836, 610, 9_742, 0),
    Real("kmrd", "kmrd-small", "rates.csv", 140_710, 52_028, 999, 6_379),
]


@pytest.mark.parametrize("real", REAL, ids=lambda real: real.format)
def test_tails_and_ratings_are_those_of_the_real_dataset(real: Real, real_data: Path, tmp_path: Path) -> None:
    _, _, _, *sizes = real
    ratings, users, movies, duplicates = sizes
    generate(tmp_path, format=real.format, ratings=ratings, users=users, movies=movies, duplicates=duplicates)
    there, made = (
        pd.read_csv(path / real.file, names=["user", "movie", "rating", "time"], skiprows=1)
        for path in (real_data / real.folder, tmp_path)
    )
    assert len(made) == len(there) == ratings
    assert made.duplicated(["user", "movie"]).sum() == there.duplicated(["user", "movie"]).sum() == duplicates
    for column, tolerance in (("user", 0.05), ("movie", 0.06)):
        counts, real_counts = (rows[column].value_counts().to_numpy() for rows in (made, there))
        assert gini(counts) == pytest.approx(gini(real_counts), abs=tolerance)
    users_counts, real_users = (rows["user"].value_counts().to_numpy() for rows in (made, there))
    for share in (0.05, 0.5, 0.9, 0.95):
        assert np.quantile(users_counts, share) == pytest.approx(np.quantile(real_users, share), rel=0.25)
    scale = there["rating"].max()
    assert made["rating"].mean() == pytest.approx(there["rating"].mean(), abs=0.03 * scale)
    assert made["rating"].std() == pytest.approx(there["rating"].std(), rel=0.1)


def gini(counts: np.ndarray) -> float:
    """0: all alike; towards 1: one has all."""
    ascending = np.sort(counts).astype(float)
    places = np.arange(1, ascending.size + 1)
    return float(2 * (places * ascending).sum() / (ascending.size * ascending.sum()) - 1 - 1 / ascending.size)
