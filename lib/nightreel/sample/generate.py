"""A dump in either raw format, of any size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from nightreel.errors import ConfigurationError
from nightreel.sample.formats import Order, broken_by_kind, write_movielens, write_netflix
from nightreel.sample.world import MOST_RATED, MOVIELENS, NETFLIX, World, allot

Format = Literal["netflix", "movielens"]
Layout = Literal["combined", "training_set"]

_FEWEST_OF_A_USER = 20
"""Ratings of the least active user in MovieLens, where there are enough ratings."""


@dataclass(frozen=True)
class Dump:
    """What was generated, and a reader must find.

    files : of ratings, in the order of their rows
    ratings : good lines, repeated pairs included
    duplicates : good lines that repeat a pair of user and movie
    broken : lines that no reader accepts, by kind
    users : distinct users in the good lines
    movies : titles; in the Netflix format each has ratings
    """

    folder: Path
    files: list[Path]
    ratings: int
    duplicates: int
    broken: Mapping[str, int]
    users: int
    movies: int


def generate(
    out: Path,
    *,
    ratings: int,
    format: Format = "netflix",
    seed: int = 1,
    broken_lines: int = 0,
    duplicates: int = 0,
    layout: Layout = "combined",
) -> Dump:
    """Write a dump with planted tastes; the same arguments give the same bytes.

    Every user likes one or two of six genres, rates their movies more often and about a star higher than the others,
    and titles tell their genre (`genre_of`). There are as many users and movies as real dumps of the size have, and
    ratings spread over them as unevenly. Memory grows with users and movies, not with ratings.

    Parameters
    ----------
    out : folder, empty or missing
    ratings : good lines, exactly
    broken_lines : further lines that no reader accepts, exactly; five kinds in turn
    duplicates : how many of the ratings repeat a pair later with other stars, at most one a movie (Netflix) or user
    layout : of the Netflix format: a few combined_data_N.txt, or a training_set/mv_N.txt a movie

    Raises
    ------
    ConfigurationError : a number is out of range, the format has no such layout, or the folder holds something
    """
    _require("ratings", ratings, low=100, high=1_000_000_000)
    _require("seed", seed, low=0, high=2**63 - 1)
    _require("broken lines", broken_lines, low=0, high=ratings)
    if format == "movielens" and layout != "combined":
        raise ConfigurationError(f"layout = {layout}: movielens has no layouts, netflix has")
    rng = np.random.default_rng(seed)
    crowd = NETFLIX if format == "netflix" else MOVIELENS
    users, movies = crowd.size(ratings)
    world = World.planted(crowd, users=users, movies=movies, rng=rng)
    if format == "netflix":
        counts = allot(world.popularity, total=ratings, low=1, high=int(MOST_RATED * users))
    else:
        low = min(_FEWEST_OF_A_USER, ratings // (2 * users))
        counts = allot(world.activity, total=ratings, low=low, high=int(MOST_RATED * movies))
    _require("duplicates", duplicates, low=0, high=int((counts > 1).sum()))
    out.mkdir(parents=True, exist_ok=True)
    if held := sorted(path.name for path in out.iterdir()):
        raise ConfigurationError(f"{out}: holds {held[0]} already; empty it or name another folder")
    order = Order(out, world, counts, broken_lines, duplicates, rng)
    if format == "netflix":
        files, users = write_netflix(order, one_file_a_movie=layout == "training_set")
    else:
        files, users = write_movielens(order)
    return Dump(out, files, ratings, duplicates, broken_by_kind(broken_lines), users, movies)


def _require(name: str, value: int, *, low: int, high: int) -> None:
    if not low <= value <= high:
        raise ConfigurationError(f"{name} = {value:,}: must be from {low:,} to {high:,}")
