"""Which files are the dump: the names the Netflix Prize and its Kaggle copy gave them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nightreel.errors import ConfigurationError, DataError
from nightreel.sources.files import RawFile, find

_RATINGS = re.compile(r"(combined_data_\d+|mv_\d+)\.txt(\.gz)?")
_TITLES = re.compile(r"movie_titles\.(csv|txt)(\.gz)?")
_OTHERS = re.compile(r"(movie_titles|probe|qualifying|readme).*", re.IGNORECASE)
_LOOKED_FOR = "combined_data_*.txt, mv_*.txt or training_set/mv_*.txt, each also as .gz"


def find_ratings(paths: Sequence[str]) -> list[RawFile]:
    """The rating files that files, folders and globs name, each once, in the order of their paths.

    In a folder (and its training_set/) the Prize's names count; a glob brings everything but the Prize's other files;
    a file named by itself counts whatever its name. A packed file beside its unpacked twin is left out.

    Raises
    ------
    ConfigurationError : a path does not exist or a glob matches nothing
    DataError : no rating file is among them
    """
    found: dict[str, RawFile] = {}
    for path in paths:
        files = find(path, setting="data.path", in_folder=_is_ratings, in_glob=_is_no_other, below=("", "training_set"))
        if not files:
            raise DataError(f"data.path: {path}: no rating files there; looked for {_LOOKED_FOR}")
        found |= {file.path: file for file in files}
    return [found[path] for path in sorted(found) if path.removesuffix(".gz") == path or path[:-3] not in found]


def find_titles(titles: str, ratings: Sequence[RawFile]) -> RawFile | None:
    """The titles file named, or else movie_titles.csv or .txt (or .gz of it) beside the ratings or above training_set/.

    Raises
    ------
    ConfigurationError : the file named does not exist, or is a folder
    """
    if titles:
        files = find(titles, setting="data.items", in_folder=_is_titles, in_glob=_is_titles)
        if len(files) != 1:
            raise ConfigurationError(f"data.items: {titles}: must be one file, found {len(files)}")
        return files[0]
    for folder in _folders(ratings):
        files = find(folder, setting="data.path", in_folder=_is_titles, in_glob=_is_titles)
        if files:
            return files[0]
    return None


def find_pairs(path: str) -> RawFile:
    """The file of pairs at the path.

    Raises
    ------
    ConfigurationError : there is none, or more than one
    """
    files = find(path, setting="pairs", in_folder=_is_pairs, in_glob=_is_pairs)
    if len(files) != 1:
        raise ConfigurationError(f"pairs: {path}: must be one file such as probe.txt, found {len(files)}")
    return files[0]


def find_pairs_beside(ratings: Sequence[RawFile]) -> RawFile | None:
    """qualifying.txt, or else probe.txt (or .gz of it), beside the ratings or above training_set/, if any."""
    for folder in _folders(ratings):
        files = find(folder, setting="data.path", in_folder=_is_pairs, in_glob=_is_pairs)
        if files:
            return max(files, key=lambda file: file.path.endswith(("qualifying.txt", "qualifying.txt.gz")))
    return None


def _folders(ratings: Sequence[RawFile]) -> list[str]:
    """Where the ratings lie, and the folders above a training_set/."""
    names = dict.fromkeys(file.folder for file in ratings)
    return list(dict.fromkeys(place for name in names for place in (name, name.removesuffix("/training_set"))))


def _is_ratings(name: str) -> bool:
    return _RATINGS.fullmatch(name) is not None


def _is_titles(name: str) -> bool:
    return _TITLES.fullmatch(name) is not None


def _is_pairs(name: str) -> bool:
    return name.removesuffix(".gz") in {"probe.txt", "qualifying.txt"}


def _is_no_other(name: str) -> bool:
    return _OTHERS.fullmatch(name) is None
