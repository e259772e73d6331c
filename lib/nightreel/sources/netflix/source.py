"""The Netflix Prize's dump as a source: its files by the names that the Prize and its Kaggle copy gave them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import IO

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from nightreel.errors import ConfigurationError, DataError
from nightreel.settings import Settings
from nightreel.sources.datasets.finding import named, without_packed_twins
from nightreel.sources.files import RawFile, find
from nightreel.sources.lines.datasource import read_lines, read_survey
from nightreel.sources.lines.segments import refuse_utf16
from nightreel.sources.netflix.lines import LARGEST_ID, DumpLines
from nightreel.sources.records import FIRST_FIELDS, Cells, read_files, survey_of
from nightreel.sources.source import Described, Found, with_all_columns
from nightreel.sources.survey import BLANKS, BOM, Rejected, quarantined_text
from nightreel.tables import digest

_is_ratings = named(r"(combined_data_\d+|mv_\d+)\.txt")
_is_titles = named(r"movie_titles\.(csv|txt)")
_is_pairs = named(r"(probe|qualifying)\.txt")
_OTHERS = re.compile(r"(movie_titles|probe|qualifying|readme).*", re.IGNORECASE)
_LOOKED_FOR = "combined_data_*.txt, mv_*.txt or training_set/mv_*.txt, each also as .gz"
_VERSION = 2  # count up when a file would be read into other rows than before


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
        """qualifying.txt, or else probe.txt (or .gz of it), beside the ratings or above training_set/."""
        files = _beside(find_ratings(self._data.path), _is_pairs)
        return max(files, key=lambda file: "qualifying" in file.name).path if files else None

    def survey(self, spark: SparkSession, files: Mapping[int, RawFile], *, into: str | None = None) -> DataFrame:
        return read_survey(spark, files, self._lines, self._ingest, into=into)

    def ratings(self, spark: SparkSession, files: Mapping[int, RawFile]) -> DataFrame:
        return read_lines(spark, files, self._lines, self._ingest)

    def items(self, spark: SparkSession, files: Mapping[int, RawFile]) -> Described:
        read = partial(_title_cells, max_line_bytes=self._ingest.max_line_bytes)
        schema = pa.schema([*FIRST_FIELDS, ("item_id", pa.int64()), ("title", pa.string()), ("year", pa.int32())])
        lines = read_files(spark, files, read, schema)
        titles = lines.where(F.col("reason").isNull()).select("item_id", "title", "year")
        return Described(records=lines, rows=with_all_columns(titles, "bronze_items"), lines=survey_of(lines))


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
        files = find(
            path,
            setting="data.path",
            in_folder=_is_ratings,
            in_glob=lambda name: not _OTHERS.fullmatch(name),
            below=("", "training_set"),
        )
        if not files:
            raise DataError(f"data.path: {path}: no rating files there; looked for {_LOOKED_FOR}")
        found |= {file.path: file for file in files}
    return without_packed_twins([found[path] for path in sorted(found)])


def find_titles(titles: str, ratings: Sequence[RawFile]) -> RawFile | None:
    """The titles file named, or else movie_titles.csv or .txt (or .gz of it) beside the ratings or above training_set/.

    Raises
    ------
    ConfigurationError : the file named does not exist, or is a folder of none or several
    """
    if titles:
        return _find_one(titles, _is_titles, setting="data.items", asked="one file")
    return next(iter(_beside(ratings, _is_titles)), None)


def find_pairs(path: str) -> RawFile:
    """The file of pairs at the path.

    Raises
    ------
    ConfigurationError : there is none, or more than one
    """
    return _find_one(path, _is_pairs, setting="pairs", asked="one file such as probe.txt")


def _find_one(path: str, is_asked: Callable[[str], bool], *, setting: str, asked: str) -> RawFile:
    files = find(path, setting=setting, in_folder=is_asked, in_glob=is_asked)
    if len(files) != 1:
        raise ConfigurationError(f"{setting}: {path}: must be {asked}, found {len(files)}")
    return files[0]


def _beside(ratings: Sequence[RawFile], is_asked: Callable[[str], bool]) -> list[RawFile]:
    """The files in the first folder that has any: one in which ratings lie, or above it where it is a training_set/."""
    folders = (place for file in ratings for place in (file.folder, file.folder.removesuffix("/training_set")))
    found = (
        find(folder, setting="data.path", in_folder=is_asked, in_glob=is_asked) for folder in dict.fromkeys(folders)
    )
    return next(filter(None, found), [])


_TITLE_LINE = re.compile(r"([0-9]{1,10}),([0-9]{4}|NULL),(.*\S.*)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
"""Terminals obey these; those from 0x80 on are single bytes in Latin-1."""


class TitleReason(StrEnum):
    """Why a line of the titles file, `id,year,title`, is quarantined."""

    FORM = "not id,year,title"
    BINARY = "bytes that are no plain text"
    ITEM_ID = f"movie id is not a whole number from 1 to {LARGEST_ID}"
    REPEATED = "movie id has a title already"
    TOO_LONG = "longer than ingest.max_line_bytes"


@dataclass(frozen=True, slots=True)
class Title:
    """A movie's title, and the year it came out where the file knows it."""

    item_id: int
    title: str
    year: int | None


def parse_title(line: bytes) -> Title | TitleReason:
    """One line without its line feed, unquoted, so that a title may hold commas; a year may be NULL. Text that is no
    UTF-8 is Latin-1, as the Prize wrote it."""
    content = line.removeprefix(BOM).rstrip(BLANKS)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    if _CONTROL.search(text):
        return TitleReason.BINARY
    match = _TITLE_LINE.fullmatch(text)
    if match is None:
        return TitleReason.FORM
    item_id = int(match[1])
    if not 1 <= item_id <= LARGEST_ID:
        return TitleReason.ITEM_ID
    return Title(item_id, match[3].strip(), None if match[2] == "NULL" else int(match[2]))


def parse_titles(lines: Iterable[bytes], *, max_line_bytes: int) -> Iterator[Title | Rejected]:
    """The lines of a file, each with its line feed; the first of a movie's titles counts, later ones are rejected."""
    seen: set[int] = set()
    position = 0
    for line in lines:
        content = line.removesuffix(b"\n")
        if content.strip():
            parsed = TitleReason.TOO_LONG if len(content) > max_line_bytes else parse_title(content)
            if isinstance(parsed, Title) and parsed.item_id in seen:
                parsed = TitleReason.REPEATED
            if isinstance(parsed, Title):
                seen.add(parsed.item_id)
                yield parsed
            else:
                yield Rejected(position, quarantined_text(content), parsed)
        position += len(line)


def _title_cells(stream: IO[bytes], max_line_bytes: int) -> Iterator[Cells]:
    refuse_utf16(stream)
    for line in parse_titles(stream, max_line_bytes=max_line_bytes):
        if isinstance(line, Title):
            yield (None, None, None, line.item_id, line.title, line.year)
        else:
            yield (line.position, line.line, str(line.reason), None, None, None)
