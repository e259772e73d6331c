"""A dump in the raw format of the Netflix Prize, as large as one likes, streamed movie by movie."""

from __future__ import annotations

import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nightreel.errors import ConfigurationError
from nightreel.sample import faults
from nightreel.sample.population import Audience, Catalogue, sizes
from nightreel.sample.rows import Rng, blocks
from nightreel.sample.text import DumpWriter, Layout, write_titles

_DUMP_NAMES = ("combined_data_*.txt*", "training_set", "movie_titles.*", "probe.txt", "qualifying.txt")


@dataclass(frozen=True)
class Dump:
    """What was generated: its files, and what a reader must find in them."""

    folder: Path
    files: tuple[Path, ...]
    """Of ratings, in the order of their movies."""
    titles: Path
    probe: Path
    qualifying: Path
    ratings: int
    """Good lines, repeated pairs included."""
    duplicates: int
    """Pairs of user and movie that occur twice, with the later rating first."""
    broken: Mapping[str, int]
    """Lines that no reader can accept, by kind."""
    users: int
    """Distinct users in the good lines."""
    movies: int

    @property
    def broken_lines(self) -> int:
        return sum(self.broken.values())


def generate(
    out: Path,
    *,
    ratings: int,
    seed: int = 1,
    broken_lines: int = 0,
    duplicates: int = 0,
    users: int | None = None,
    movies: int | None = None,
    layout: Layout = "combined",
    overwrite: bool = False,
) -> Dump:
    """Write a dump with planted tastes; the same arguments give the same bytes.

    Every user likes one or two of six genres, rates them more often and about a star higher than the others. Titles
    tell their genre (`genre_of`), `planted_tastes` tells the users'. Memory grows with the users, not with the ratings.

    Parameters
    ----------
    out : folder that gets the ratings, movie_titles.csv, probe.txt and qualifying.txt once all are written
    ratings : good lines, exactly
    broken_lines : further lines that no reader can accept, exactly; five kinds in turn
    duplicates : how many of the ratings repeat a pair, with other stars on a later day; at most one a movie
    users, movies : how many there are; by default in the proportions of the real dump
    layout : combined_data_*.txt, or training_set/mv_*.txt with a file a movie
    overwrite : replace the dump that lies there

    Raises
    ------
    ConfigurationError : a number is out of range, or a dump lies there and may not be overwritten
    """
    n_users, n_movies = sizes(ratings, users=users, movies=movies)
    catalogue = Catalogue.planted(movies=n_movies, ratings=ratings, users=n_users, seed=seed)
    audience = Audience.planted(users=n_users, seed=seed)
    _check_faults(catalogue, broken_lines=broken_lines, duplicates=duplicates)
    rng = np.random.default_rng([seed, 3])
    broken = _by_movie(faults.kinds(broken_lines), catalogue, rng)
    met = np.zeros(n_users, dtype=np.bool_)
    with (
        _published(out, overwrite=overwrite) as folder,
        DumpWriter(folder, layout=layout, catalogue=catalogue, audience=audience) as writer,
    ):
        for block in blocks(catalogue, audience, duplicates=duplicates, rng=rng):
            met[block.users] = True
            writer.write(block, broken=broken.get(block.movie, ()), rng=rng)
        write_titles(folder / "movie_titles.csv", catalogue)
    return Dump(
        folder=out,
        files=tuple(out / name for name in writer.files),
        titles=out / "movie_titles.csv",
        probe=out / "probe.txt",
        qualifying=out / "qualifying.txt",
        ratings=ratings,
        duplicates=duplicates,
        broken=faults.counted(broken_lines),
        users=int(met.sum()),
        movies=n_movies,
    )


def _check_faults(catalogue: Catalogue, *, broken_lines: int, duplicates: int) -> None:
    if not 0 <= broken_lines <= 100_000:
        raise ConfigurationError(f"broken lines = {broken_lines:,}: must be from 0 to 100,000")
    room = int((catalogue.ratings > 1).sum())
    if not 0 <= duplicates <= room:
        raise ConfigurationError(f"duplicates = {duplicates:,}: must be from 0 to {room:,}, at most one a movie")


def _by_movie(kinds: list[str], catalogue: Catalogue, rng: Rng) -> Mapping[int, list[str]]:
    """Which broken lines each movie gets: the more ratings, the more."""
    movies = rng.choice(len(catalogue.titles), len(kinds), p=catalogue.ratings / catalogue.ratings.sum())
    chosen = defaultdict(list)
    for movie, kind in zip(movies.tolist(), kinds, strict=True):
        chosen[movie].append(kind)
    return chosen


@contextmanager
def _published(out: Path, *, overwrite: bool) -> Iterator[Path]:
    """An empty folder inside `out` whose files take their places at the end: half a dump is never to be seen."""
    present = _dump_in(out)
    if present and not overwrite:
        raise ConfigurationError(
            f"{out}: holds {present[0].name} already; name another folder, or overwrite it (--overwrite)"
        )
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=out) as staging:
        yield Path(staging)
        for old in _dump_in(out):
            if old.is_dir():
                shutil.rmtree(old)
            else:
                old.unlink()
        for new in Path(staging).iterdir():
            new.rename(out / new.name)


def _dump_in(folder: Path) -> list[Path]:
    return sorted(path for name in _DUMP_NAMES for path in folder.glob(name))
