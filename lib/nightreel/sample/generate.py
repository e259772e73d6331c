"""A dump in any raw format, as large as one likes, streamed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from nightreel.sample.formats.kmrd import KmrdPlan
from nightreel.sample.formats.metadata import MetadataPlan
from nightreel.sample.formats.movielens import MovieLensPlan
from nightreel.sample.formats.netflix import NetflixPlan
from nightreel.sample.request import Dump, Layout, Plan, Request
from nightreel.sample.staging import published
from nightreel.sample.world.crowds import Format, require

_PLANS: Mapping[Format, Callable[[Request], Plan]] = {
    "netflix": NetflixPlan.of,
    "movielens": MovieLensPlan.of,
    "kmrd": KmrdPlan.of,
    "metadata": MetadataPlan.of,
}
MOST_PROCESSES = 64


def generate(
    out: Path,
    *,
    ratings: int,
    format: Format = "netflix",
    seed: int = 1,
    broken_lines: int = 0,
    duplicates: int = 0,
    users: int | None = None,
    movies: int | None = None,
    layout: Layout | None = None,
    processes: int = 1,
    overwrite: bool = False,
) -> Dump:
    """Write a dump with planted tastes; the same arguments give the same bytes, in however many processes.

    Every user likes one or two of six genres, rates them more often and about a star higher than the others. Titles
    tell their genre (`genre_of`), as do tags, plots and casts; `planted_tastes` tells the users'. The films of a seed
    are the same in every format. Opinions move over the years: see `Opinions`. Memory grows with the users and films,
    not with the ratings.

    Parameters
    ----------
    out : folder that gets the files once all are written
    ratings : good lines, exactly; of metadata, in the dumps whose films it describes
    broken_lines : further lines that no reader can accept, exactly; several kinds in turn
    duplicates : how many of the ratings repeat a pair at a later time; in the Netflix format with other stars, and at
        most one a film; of metadata, how many rows repeat an id
    users, movies : how many there are; by default in the proportions of the format's real dumps, of metadata
        as many films as any format has for so many ratings
    layout : how the format's files are laid out, see LAYOUTS
    processes : how many work at once
    overwrite : replace a dump of the format that lies there

    Raises
    ------
    ConfigurationError : a number is out of range, the format has no such layout, or a dump lies there
    NightreelError : one of the processes was killed
    """
    require("seed", seed, low=0, high=2**63 - 1)
    require("processes", processes, low=1, high=MOST_PROCESSES)
    request = Request(format, ratings, seed, broken_lines, duplicates, users, movies, layout)
    plan = _PLANS[format](request)
    with published(out, format=format, overwrite=overwrite) as folder:
        dump = plan.write(folder, processes=processes)
    return replace(dump, folder=out)
