"""Which dataset files are, by their names and first lines."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from nightreel.errors import ConfigurationError
from nightreel.settings import Settings, load
from nightreel.settings.sections import Section
from nightreel.sources import files
from nightreel.sources.datasets.finding import Edition, Published, find_published
from nightreel.sources.datasets.kmrd import KMRD_FILES
from nightreel.sources.datasets.movielens import EDITIONS as MOVIELENS_EDITIONS
from nightreel.sources.files import find
from nightreel.sources.lines.segments import first_line

_NAMES_SHOWN = 6
_SHOWN = 3
_CHARACTERS_SHOWN = 60
_NETFLIX = Edition(
    name="Netflix Prize",
    ratings=r"(combined_data_\d+|mv_\d+)\.txt",
    looked_for="combined_data_*.txt, mv_*.txt",
    begins=r"\d+:$",
    others={"titles": r"movie_titles\.(csv|txt)"},
)
_SOURCES = {"netflix": (_NETFLIX,), "movielens": MOVIELENS_EDITIONS, "kmrd": (KMRD_FILES,)}
_SOURCE_OF = {edition.name: source for source, editions in _SOURCES.items() for edition in editions}
_EDITIONS = [edition for editions in _SOURCES.values() for edition in editions]


class Recognised(NamedTuple):
    """What files are: a name for data.source, and the finding in a person's words."""

    source: str
    said: str


def recognise(paths: Sequence[str]) -> Recognised:
    """The one dataset that files, folders, globs and archives of data.path hold; needs no Spark.

    Raises ConfigurationError where they hold none, or several, or a path does not exist; DataError where a file cannot
    be read.
    """
    # Of a dataset the first of its rating files that is not empty tells what it is.
    begun = [(one, next(filter(None, map(first_line, one.ratings)), "")) for one in find_published(paths, _EDITIONS)]
    datasets = [one for one, line in begun if re.match(one.edition.begins, line)]
    said = "; ".join(map(_said, datasets[:_SHOWN]))
    sources = {_SOURCE_OF[one.edition.name] for one in datasets}
    if len(sources) == 1:
        return Recognised(sources.pop(), said)
    where = f'data.source = "auto": {", ".join(paths)}'
    if datasets:
        raise ConfigurationError(f"{where}: holds several datasets ({said}): name one in data.path")
    there = "; ".join(
        f"{one.ratings[0].name}, which begins {line[:_CHARACTERS_SHOWN]!r} and so is not of {one.edition.name}"
        for one, line in begun[:_SHOWN]
    )
    looked_for = ", ".join(edition.looked_for for edition in _EDITIONS)
    raise ConfigurationError(
        f"{where}: none of {', '.join(_SOURCES)}: looked for {looked_for}; found {there or _there(paths)}; if these "
        'are ratings of another form, set data.source = "own"'
    )


def _said(dataset: Published) -> str:
    names = [file.name for file in [*dataset.ratings, *dataset.others().values()]]
    shown = ", ".join(names[:_NAMES_SHOWN]) + (f" and {len(names) - _NAMES_SHOWN:,} more" * (len(names) > _NAMES_SHOWN))
    inside, archive = files.split(dataset.folder)
    return f"{dataset.edition.name} ({shown}) in {(archive or inside).rpartition('/')[2] or '/'}"


def _there(paths: Sequence[str]) -> str:
    """The first files that lie there, whatever they are."""
    found = [file for path in paths for file in find(path, setting="data.path", in_folder=lambda _: True)]
    return ", ".join(file.name for file in found[:_NAMES_SHOWN]) + (" ..." * (len(found) > _NAMES_SHOWN)) or "no file"


def configured(env: str, overrides: Sequence[str], *, models: Mapping[str, type[Section]] | None = None) -> Settings:
    """The settings; with data.source = "auto" those of the format that the files at data.path turn out to be.

    What was found is said on standard error. Raises as `load`, whose arguments these are, and `recognise`.
    """
    settings = load(env, overrides, models=models)
    if settings.data.source != "auto":
        return settings
    found = recognise(settings.data.path)
    print(f"data.source: {found.said}", file=sys.stderr)
    return load(env, [*overrides, f"data.source={found.source}"], models=models)
