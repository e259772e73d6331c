"""The Netflix Prize's dump as a source: its files by the names that the Prize and its Kaggle copy gave them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import IO

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from nightreel.errors import ConfigurationError, DataError
from nightreel.settings import Settings
from nightreel.sources.files import RawFile, find
from nightreel.sources.lines.datasource import read_lines, read_survey
from nightreel.sources.lines.segments import refuse_utf16
from nightreel.sources.netflix.lines import DumpLines
from nightreel.sources.netflix.titles import Title, parse_titles
from nightreel.sources.records import FIRST_FIELDS, Cells, read_files, survey_of
from nightreel.sources.source import Described, Found, with_all_columns
from nightreel.tables import digest

_RATINGS = re.compile(r"(combined_data_\d+|mv_\d+)\.txt(\.gz)?")
_TITLES = re.compile(r"movie_titles\.(csv|txt)(\.gz)?")
_OTHERS = re.compile(r"(movie_titles|probe|qualifying|readme).*", re.IGNORECASE)
_LOOKED_FOR = "combined_data_*.txt, mv_*.txt or training_set/mv_*.txt, each also as .gz"
_VERSION = 2  # count up when a file would be read into other rows than before
_TITLE_FIELDS = (pa.field("item_id", pa.int64()), pa.field("title", pa.string()), pa.field("year", pa.int32()))


class NetflixDump:
    """combined_data_*.txt or training_set/mv_*.txt, and the titles file (see nightreel.sources.source.Source)."""

    def __init__(self, settings: Settings) -> None:
        self._data = settings.data
        self._ingest = settings.ingest
        self._lines = DumpLines("ratings", settings.scale.lowest, settings.scale.highest)

    @property
    def reading(self) -> str:
        return digest(["netflix", _VERSION, self._lines.lowest, self._lines.highest, self._ingest.max_line_bytes])

    def find(self) -> Found:
        ratings = find_ratings(self._data.path)
        titles = find_titles(self._data.items, ratings)
        return Found(ratings, [titles] if titles else [])

    def pairs_to_score(self) -> str | None:
        file = find_pairs_beside(find_ratings(self._data.path))
        return None if file is None else file.path

    def survey(self, spark: SparkSession, files: Mapping[int, RawFile], *, into: str | None = None) -> DataFrame:
        return read_survey(spark, files, self._lines, self._ingest, into=into)

    def ratings(self, spark: SparkSession, files: Mapping[int, RawFile]) -> DataFrame:
        return read_lines(spark, files, self._lines, self._ingest)

    def items(self, spark: SparkSession, files: Mapping[int, RawFile]) -> Described:
        read = partial(_title_cells, max_line_bytes=self._ingest.max_line_bytes)
        lines = read_files(spark, files, read, pa.schema([*FIRST_FIELDS, *_TITLE_FIELDS]))
        titles = lines.where(F.col("reason").isNull()).select("item_id", "title", "year")
        return Described(records=lines, rows=with_all_columns(titles, "bronze_items"), lines=survey_of(lines))


def _title_cells(stream: IO[bytes], max_line_bytes: int) -> Iterator[Cells]:
    refuse_utf16(stream)
    for line in parse_titles(stream, max_line_bytes=max_line_bytes):
        if isinstance(line, Title):
            yield (None, None, None, line.item_id, line.title, line.year)
        else:
            yield (line.position, line.line, str(line.reason), None, None, None)


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
