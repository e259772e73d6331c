"""Which files tell of films: recognised by the names in their headers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from enum import Enum

from nightreel.errors import ConfigurationError
from nightreel.settings import MetadataSettings
from nightreel.sources.files import RawFile, find
from nightreel.sources.records import Dialect, names_in_header

DIALECT = Dialect(",", quoted=True, header=True)
FILM_COLUMNS = frozenset({"id", "title", "overview", "genres", "release_date"})
"""What the header of a file that has a row a film must name."""

_FURTHER = ({"id", "keywords"}, {"id", "cast", "crew"}, {"movie_id", "cast", "crew"})
_BESIDE = {"keywords.csv", "credits.csv", "tmdb_5000_credits.csv"}
_SETTING = "metadata.path"
_EXPECTED = f"movies_metadata.csv and tmdb_5000_movies.csv name {', '.join(sorted(FILM_COLUMNS))} in their headers"


class Kind(Enum):
    """What a file has to tell."""

    FILMS = "a row a film: movies_metadata.csv, tmdb_5000_movies.csv"
    FURTHER = "more of films that others describe: keywords.csv, credits.csv, tmdb_5000_credits.csv"


def kind_of(header: Collection[str]) -> Kind | None:
    """The kind of the file with these names in its header; None: it is no file of ours."""
    if set(header) >= FILM_COLUMNS:
        return Kind.FILMS
    return Kind.FURTHER if any(set(header) >= names for names in _FURTHER) else None


def find_metadata(settings: MetadataSettings) -> Sequence[RawFile]:
    """The files of films that the settings name, and what lies beside them with more of the same films.

    In folders, globs and archives other files are passed over. A packed file beside its unpacked twin is left out.

    Raises
    ------
    ConfigurationError : a path does not exist or holds no such file, or none of them has a row a film
    DataError : a file's header cannot be read
    """
    if not settings.path:
        return []
    named = [file for path in settings.path for file in _named(path)]
    films = [file for file in named if _kind(file) is Kind.FILMS]
    if not films:
        raise ConfigurationError(f"{_SETTING}: {', '.join(settings.path)}: no file with a row a film; {_EXPECTED}")
    found = {file.path: file for file in (*named, *_beside(films))}
    return [found[path] for path in sorted(found) if path.removesuffix(".gz") == path or path[:-3] not in found]


def _named(path: str) -> list[RawFile]:
    files = [file for file in _listed(path, lambda name: name.removesuffix(".gz").endswith(".csv")) if _kind(file)]
    if not files:
        raise ConfigurationError(f"{_SETTING}: {path}: no film metadata there; {_EXPECTED}")
    return files


def _beside(films: Iterable[RawFile]) -> list[RawFile]:
    folders = sorted({file.folder for file in films})
    listed = (file for folder in folders for file in _listed(folder, lambda name: name.removesuffix(".gz") in _BESIDE))
    return [file for file in listed if _kind(file)]


def _listed(path: str, wanted: Callable[[str], bool]) -> list[RawFile]:
    return find(path, setting=_SETTING, in_folder=wanted, in_glob=wanted)


def _kind(file: RawFile) -> Kind | None:
    return kind_of(names_in_header(file, DIALECT))
