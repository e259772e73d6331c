"""Datasets known by the names of their files: which of them lie where the settings point."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from nightreel.errors import ConfigurationError, DataError
from nightreel.settings import ScaleSettings, Settings
from nightreel.sources import files
from nightreel.sources.files import EVERY_FOLDER, RawFile, find
from nightreel.sources.judging import CONTROL, TITLE_CONTROL, rejected_where
from nightreel.sources.lines.datasource import read_lines, read_survey
from nightreel.sources.lines.rating_lines import RatingLines
from nightreel.sources.records import Dialect, read_records
from nightreel.sources.source import Described, Found
from nightreel.tables import digest


@dataclass(frozen=True)
class Edition:
    """One of the formats a dataset is published in. File names are regular expressions, and may end in .gz too."""

    name: str
    """What a person calls it."""
    ratings: str
    looked_for: str
    """The names of rating files in words."""
    begins: str
    """A regular expression: how the first line of the ratings begins."""
    others: Mapping[str, str] = field(default_factory=dict)
    """The names of the files that lie beside the ratings, by what they hold."""

    def is_ratings(self, name: str) -> bool:
        return _is(self.ratings, name)

    def part(self, name: str) -> str | None:
        """What a file of this name beside the ratings holds; None: it is none of this edition's."""
        return next((part for part, pattern in self.others.items() if _is(pattern, name)), None)


@dataclass(frozen=True)
class Published:
    """The ratings of an edition in one folder, which may lie in an archive."""

    edition: Edition
    folder: str
    ratings: Sequence[RawFile]

    def others(self) -> dict[str, RawFile]:
        """What of Edition.others lies in the folder, or else where the archive lies that holds it.

        Raises
        ------
        ConfigurationError : several files there hold the same
        """
        own = [file for file in _find_others(self.folder, self.edition, "data.path") if file.folder == self.folder]
        archive = files.split(self.folder)[1]
        if not own and archive:
            own = _find_others(RawFile(archive, 0, None).folder, self.edition, "data.path")
        return _by_part(own, self.edition)


def find_published(paths: Sequence[str], editions: Sequence[Edition]) -> list[Published]:
    """The datasets that files, folders, globs and archives hold.

    A folder that holds none itself is looked into one deep, and an archive as deep as its outermost.

    Raises
    ------
    ConfigurationError : a path does not exist or a glob matches nothing
    DataError : an archive is damaged or encrypted
    """
    named = _is_any([edition.ratings for edition in editions])
    files: dict[str, RawFile] = {}
    for path in paths:
        listed = find(path, setting="data.path", in_folder=named, in_glob=named, below=("", EVERY_FOLDER))
        files |= {file.path: file for file in _outermost(listed)}
    unpacked = _without_packed_twins(files.values())
    folders = sorted({file.folder for file in unpacked})
    datasets = (
        Published(
            edition, folder, [file for file in unpacked if file.folder == folder and edition.is_ratings(file.name)]
        )
        for folder in folders
        for edition in editions
    )
    return [one for one in datasets if one.ratings]


def find_one(paths: Sequence[str], editions: Sequence[Edition], *, name: str) -> Published:
    """The only dataset of these editions that the paths hold; it has one file of ratings.

    Raises
    ------
    ConfigurationError : there are several, or as `find_published`
    DataError : there is none, or as `find_published`
    """
    found = find_published(paths, editions)
    ratings = [file for one in found for file in one.ratings]
    where = f"data.path: {', '.join(paths)}"
    if not ratings:
        looked_for = ", ".join(edition.looked_for for edition in editions)
        raise DataError(f"{where}: no ratings of {name} there; looked for {looked_for}, each also as .gz or in a .zip")
    if len(ratings) > 1:
        raise ConfigurationError(f"{where}: must be one dataset of {name}, found {_listed(ratings)}")
    return found[0]


def find_named_others(path: str, edition: Edition) -> dict[str, RawFile]:
    """What of Edition.others a file, folder, glob or archive named in data.items holds.

    Raises
    ------
    ConfigurationError : nothing, or several files that hold the same
    """
    found = _by_part(_find_others(path, edition, "data.items"), edition)
    if not found:
        raise ConfigurationError(
            f"data.items: {path}: none of the files of {edition.name}: {', '.join(edition.others)}"
        )
    return found


def _find_others(path: str, edition: Edition, setting: str) -> list[RawFile]:
    named = _is_any(edition.others.values())
    files = find(path, setting=setting, in_folder=named, in_glob=named)
    return _without_packed_twins([file for file in files if named(file.name)])


def _by_part(files: Sequence[RawFile], edition: Edition) -> dict[str, RawFile]:
    parts: dict[str, list[RawFile]] = {}
    for file in files:
        parts.setdefault(edition.part(file.name) or "", []).append(file)
    for part, held_in in parts.items():
        if len(held_in) > 1:
            raise ConfigurationError(f"data.items: must name one file of {part}, found {_listed(held_in)}")
    return {part: parts[part][0] for part in edition.others if part in parts}


def _without_packed_twins(files: Collection[RawFile]) -> list[RawFile]:
    there = {(file.folder, file.name) for file in files}
    return [
        file
        for file in files
        if not file.name.endswith(".gz") or (file.folder, file.name.removesuffix(".gz")) not in there
    ]


def _outermost(files: Sequence[RawFile]) -> list[RawFile]:
    least = min((file.folder.count("/") for file in files), default=0)
    return [file for file in files if file.folder.count("/") == least]


def _is_any(patterns: Iterable[str]) -> Callable[[str], bool]:
    return lambda name: any(_is(pattern, name) for pattern in patterns)


def _is(pattern: str, name: str) -> bool:
    return re.fullmatch(pattern, name.removesuffix(".gz")) is not None


def _listed(files: Sequence[RawFile]) -> str:
    return ", ".join(file.path for file in files)


@dataclass(frozen=True)
class Part:
    """A kind of file, as Edition.others names it: how it is read, and what its records tell.

    columns : by the header's names, or by place where there is no header
    judge : adds to the records what they tell, and reasons to the bad ones (see nightreel.sources.judging)
    """

    edition: Edition
    name: str
    dialect: Dialect
    columns: Sequence[str]
    judge: Callable[[DataFrame], DataFrame]


def read_parts(
    spark: SparkSession, files: Mapping[int, RawFile], parts: Iterable[Part], *, columns: str, max_record_bytes: int
) -> DataFrame:
    """The judged records of all the files in one DataFrame, which so can be kept while rows and rejects are made of it.

    Parameters
    ----------
    columns : the columns to keep of judged records, with their types, as SQL

    Returns
    -------
    grain record; columns file_id, position, line (null in good ones), reason, part string, and those of `columns`, null
    where a part has none
    """
    schema = f"file_id int, position bigint, line string, reason string, part string, {columns}"
    records = spark.createDataFrame([], schema)
    for part in parts:
        theirs = {file_id: file for file_id, file in files.items() if part.edition.part(file.name) == part.name}
        if theirs:
            read = read_records(spark, theirs, part.dialect, part.columns, max_record_bytes=max_record_bytes)
            judged = part.judge(read).withColumn("part", F.lit(part.name))
            if "title" in judged.columns:
                judged = rejected_where(judged, F.col("title").rlike(CONTROL), TITLE_CONTROL)
            judged = judged.withColumn("line", F.when(F.col("reason").isNotNull(), F.col("line")))
            kept = [name for name in records.columns if name in judged.columns]
            records = records.unionByName(judged.select(*kept), allowMissingColumns=True)
    return records


@dataclass(frozen=True)
class Format:
    """What tells one published dataset from another."""

    name: str
    editions: Sequence[Edition]
    version: int
    """Counted up when a file would be read into other rows than before."""
    rating_lines: Callable[[Edition, RawFile, ScaleSettings], RatingLines]
    read_items: Callable[[SparkSession, Mapping[int, RawFile], int], Described]
    """Of the files, by file_id, with the bytes that a record may have."""


class PublishedSource:
    """See nightreel.sources.source.Source."""

    def __init__(self, settings: Settings, published_as: Format) -> None:
        self._data = settings.data
        self._scale = settings.scale
        self._ingest = settings.ingest
        self._format = published_as

    @property
    def reading(self) -> str:
        limits = (self._scale.lowest, self._scale.highest, self._ingest.max_line_bytes)
        return digest([self._format.name, self._format.version, *limits])

    def find(self) -> Found:
        dataset = find_one(self._data.path, self._format.editions, name=self._format.name)
        for file in dataset.ratings:
            self._format.rating_lines(dataset.edition, file, self._scale)
        others = find_named_others(self._data.items, dataset.edition) if self._data.items else dataset.others()
        return Found(dataset.ratings, sorted(others.values(), key=lambda file: file.path))

    def pairs_to_score(self) -> str | None:
        return None

    def survey(self, spark: SparkSession, files: Mapping[int, RawFile], *, into: str | None = None) -> DataFrame:
        return read_survey(spark, files, self._lines(files), self._ingest, into=into)

    def ratings(self, spark: SparkSession, files: Mapping[int, RawFile]) -> DataFrame:
        return read_lines(spark, files, self._lines(files), self._ingest)

    def items(self, spark: SparkSession, files: Mapping[int, RawFile]) -> Described:
        return self._format.read_items(spark, files, self._ingest.max_line_bytes)

    def _lines(self, files: Mapping[int, RawFile]) -> RatingLines:
        """How the lines of the file are ratings; how those of no file would be."""
        for file in files.values():
            edition = next(edition for edition in self._format.editions if edition.is_ratings(file.name))
            return self._format.rating_lines(edition, file, self._scale)
        return RatingLines(",", 3, user=0, item=1, rating=2, time=None, header=False, lowest=0.0, highest=0.0)
