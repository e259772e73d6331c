"""Datasets known by the names of their files: which of them lie where the settings point, and how they are read."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from nightreel.errors import ConfigurationError, DataError
from nightreel.settings import ScaleSettings, Settings
from nightreel.sources import files
from nightreel.sources.files import EVERY_FOLDER, RawFile, find
from nightreel.sources.judging import CONTROL, TITLE_CONTROL, rejected_repeats, rejected_where
from nightreel.sources.lines.datasource import read_lines, read_survey
from nightreel.sources.lines.rating_lines import RatingLines
from nightreel.sources.records import Dialect, read_records, survey_of
from nightreel.sources.source import Described, Found, with_all_columns
from nightreel.tables import digest


@dataclass(frozen=True)
class Edition:
    """One of the formats a dataset is published in. File names are regular expressions, and may end in .gz too."""

    name: str
    """For people."""
    ratings: str
    looked_for: str
    """The names of rating files in words."""
    begins: str
    """A regular expression: how the first line of the ratings begins."""
    others: Mapping[str, str] = field(default_factory=dict)
    """The names of the files that lie beside the ratings, by what they hold."""
    is_sample: bool = False
    """Its ratings are some of those of another edition, which is read instead where both lie in a folder."""

    def is_ratings(self, name: str) -> bool:
        return named(self.ratings)(name)

    def part(self, name: str) -> str | None:
        """What a file of this name beside the ratings holds; None: it is none of this edition's."""
        return next((part for part, pattern in self.others.items() if named(pattern)(name)), None)


@dataclass(frozen=True)
class Published:
    """The ratings of an edition in one folder, which may lie in an archive."""

    edition: Edition
    folder: str
    ratings: Sequence[RawFile]

    def others(self, items: str = "") -> dict[str, RawFile]:
        """What of Edition.others the path of data.items holds; without one the folder, or else where its archive lies.

        Raises
        ------
        ConfigurationError : several files there hold the same, or data.items names none
        """
        archive = files.split(self.folder)[1]
        listed = self._others_at(items or self.folder, "data.items" if items else "data.path")
        if not items:
            listed = [file for file in listed if file.folder == self.folder]
            if archive and not listed:
                listed = self._others_at(RawFile(archive, 0, None).folder, "data.path")
        parts: dict[str, RawFile] = {}
        for file in listed:
            part = self.edition.part(file.name) or ""
            if part in parts:
                both = f"{parts[part].path}, {file.path}"
                raise ConfigurationError(f"data.items: must name one file of {part}, found {both}")
            parts[part] = file
        if items and not parts:
            looked_for = ", ".join(self.edition.others)
            raise ConfigurationError(f"data.items: {items}: none of the files of {self.edition.name}: {looked_for}")
        return {part: parts[part] for part in self.edition.others if part in parts}

    def _others_at(self, path: str, setting: str) -> list[RawFile]:
        is_other = named(*self.edition.others.values())
        listed = find(path, setting=setting, in_folder=is_other, in_glob=is_other)
        return without_packed_twins([file for file in listed if is_other(file.name)])


def find_published(paths: Sequence[str], editions: Sequence[Edition]) -> list[Published]:
    """The datasets that files, folders, globs and archives hold.

    A folder that holds none itself is looked into one deep, and an archive as deep as its outermost.

    Raises
    ------
    ConfigurationError : a path does not exist or a glob matches nothing
    DataError : an archive is damaged or encrypted
    """
    is_ratings = named(*(edition.ratings for edition in editions))
    found: dict[str, RawFile] = {}
    for path in paths:
        listed = find(path, setting="data.path", in_folder=is_ratings, in_glob=is_ratings, below=("", EVERY_FOLDER))
        outermost = min((file.folder.count("/") for file in listed), default=0)
        found |= {file.path: file for file in listed if file.folder.count("/") == outermost}
    by_folder: dict[str, list[RawFile]] = {}
    for file in without_packed_twins([*found.values()]):
        by_folder.setdefault(file.folder, []).append(file)
    datasets = (
        Published(edition, folder, [file for file in by_folder[folder] if edition.is_ratings(file.name)])
        for folder in sorted(by_folder)
        for edition in editions
    )
    published = [one for one in datasets if one.ratings]
    whole = {one.folder for one in published if not one.edition.is_sample}
    return [one for one in published if not one.edition.is_sample or one.folder not in whole]


def find_one(paths: Sequence[str], editions: Sequence[Edition], *, name: str) -> Published:
    """The only dataset of these editions that the paths hold; it has one file of ratings.

    Raises
    ------
    ConfigurationError : there are several, or as `find_published`
    DataError : there is none, or as `find_published`
    """
    found = find_published(paths, editions)
    ratings = [file.path for one in found for file in one.ratings]
    where = f"data.path: {', '.join(paths)}"
    if not ratings:
        looked_for = ", ".join(edition.looked_for for edition in editions)
        raise DataError(f"{where}: no ratings of {name} there; looked for {looked_for}, each also as .gz or in a .zip")
    if len(ratings) > 1:
        raise ConfigurationError(f"{where}: must be one dataset of {name}, found {', '.join(ratings)}")
    return found[0]


def without_packed_twins(listed: Sequence[RawFile]) -> list[RawFile]:
    """The files but those in .gz that lie beside their unpacked twin."""
    there = {(file.folder, file.name) for file in listed}
    return [file for file in listed if not file.name.endswith(".gz") or (file.folder, file.name[:-3]) not in there]


def named(*patterns: str) -> Callable[[str], bool]:
    """Whether a file's name, .gz aside, matches one of the regular expressions."""
    pattern = re.compile("|".join(patterns))
    return lambda name: pattern.fullmatch(name.removesuffix(".gz")) is not None


@dataclass(frozen=True)
class Part:
    """A kind of file, as Edition.others names it: how it is read, and what its records tell.

    columns : by the header's names, or by place where there is no header
    judge : adds to the records what they tell, and reasons to the bad ones (see `judged`)
    """

    edition: Edition
    name: str
    dialect: Dialect
    columns: Sequence[str]
    judge: Callable[[DataFrame], DataFrame]


def judged(
    records: DataFrame,
    columns: Mapping[str, Column],
    rejected: Sequence[tuple[Column, str]],
    *,
    unique: str | None = None,
) -> DataFrame:
    """The records with those columns, the bad ones with the reason of the first condition that they meet.

    Parameters
    ----------
    rejected : conditions, which may use `columns`, and reasons
    unique : a column of which the first of several good records stays good, by file and position
    """
    records = records.withColumns(dict(columns))
    for bad, reason in rejected:
        records = rejected_where(records, bad, reason)
    return rejected_repeats(records, unique) if unique else records


def read_parts(
    spark: SparkSession, files: Mapping[int, RawFile], parts: Iterable[Part], *, columns: str, max_record_bytes: int
) -> DataFrame:
    """The judged records of all the files in one DataFrame, to be persisted while rows and rejects are made of it.

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
        of_part = {file_id: file for file_id, file in files.items() if part.edition.part(file.name) == part.name}
        if of_part:
            read = read_records(spark, of_part, part.dialect, part.columns, max_record_bytes=max_record_bytes)
            of_kind = part.judge(read).withColumn("part", F.lit(part.name))
            if "title" in of_kind.columns:
                of_kind = rejected_where(of_kind, F.col("title").rlike(CONTROL), TITLE_CONTROL)
            of_kind = of_kind.withColumn("line", F.when(F.col("reason").isNotNull(), F.col("line")))
            kept = [name for name in records.columns if name in of_kind.columns]
            records = records.unionByName(of_kind.select(*kept), allowMissingColumns=True)
    return records


class PublishedSource(ABC):
    """See nightreel.sources.source.Source."""

    name: ClassVar[str]
    editions: ClassVar[Sequence[Edition]]
    version: ClassVar[int]
    """Counted up when a file would be read into other rows than before."""

    def __init__(self, settings: Settings) -> None:
        self._data = settings.data
        self._scale = settings.scale
        self._ingest = settings.ingest

    @staticmethod
    @abstractmethod
    def rating_lines(edition: Edition, file: RawFile, scale: ScaleSettings) -> RatingLines:
        """How the file's lines are ratings; raises DataError where it has another header, or cannot be read."""

    @abstractmethod
    def records(self, spark: SparkSession, files: Mapping[int, RawFile]) -> DataFrame:
        """Grain record of the files beside the ratings; see `read_parts`."""

    @abstractmethod
    def films(self, good: DataFrame) -> DataFrame:
        """Grain film, from good records; columns of bronze_items, but for those that the format lacks."""

    @property
    def reading(self) -> str:
        return digest([self.name, self.version, self._scale.lowest, self._scale.highest, self._ingest.max_line_bytes])

    def find(self) -> Found:
        dataset = find_one(self._data.path, self.editions, name=self.name)
        for file in dataset.ratings:
            self.rating_lines(dataset.edition, file, self._scale)
        others = dataset.others(self._data.items).values()
        return Found(dataset.ratings, sorted(others, key=lambda file: file.path))

    def pairs_to_score(self) -> str | None:
        return None

    def survey(self, spark: SparkSession, files: Mapping[int, RawFile], *, into: str | None = None) -> DataFrame:
        return read_survey(spark, files, self._lines(files), self._ingest, into=into)

    def ratings(self, spark: SparkSession, files: Mapping[int, RawFile]) -> DataFrame:
        return read_lines(spark, files, self._lines(files), self._ingest)

    def items(self, spark: SparkSession, files: Mapping[int, RawFile]) -> Described:
        records = self.records(spark, files)
        films = self.films(records.where(F.col("reason").isNull()))
        return Described(records, with_all_columns(films, "bronze_items"), survey_of(records))

    def _lines(self, files: Mapping[int, RawFile]) -> RatingLines:
        """How the lines of the file are ratings; how those of no file would be."""
        for file in files.values():
            edition = next(edition for edition in self.editions if edition.is_ratings(file.name))
            return self.rating_lines(edition, file, self._scale)
        return RatingLines(",", 3, user=0, item=1, rating=2, time=None, header=False, lowest=0.0, highest=0.0)
