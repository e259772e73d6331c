"""Files of user and item pairs: the Prize's probe.txt and qualifying.txt, MovieLens 100K's published folds."""

from __future__ import annotations

from typing import NamedTuple

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from nightreel.errors import ConfigurationError
from nightreel.settings import IngestSettings, Settings
from nightreel.sources.datasets.finding import find_one
from nightreel.sources.datasets.movielens import EDITIONS, U_DATA, rating_lines
from nightreel.sources.files import RawFile, find
from nightreel.sources.lines.datasource import read_lines, read_survey
from nightreel.sources.lines.rating_lines import LineFormat
from nightreel.sources.netflix import DumpLines, find_pairs

FOLDS = ("u1", "u2", "u3", "u4", "u5", "ua", "ub")


class HeldOutPairs(NamedTuple):
    """A file's pairs and its rejected lines.

    pairs : grain good line; position bigint (offset of the line's first byte, so the file's order), user_id bigint,
        item_id bigint, rated_at timestamp (null where the line has no time)
    rejects : grain rejected line; position bigint, line string, reason string
    """

    pairs: DataFrame
    rejects: DataFrame


def held_out_file(settings: Settings) -> RawFile | None:
    """The file of pairs to test that split.strategy asks for; None: it needs none.

    Raises ConfigurationError where it is not there, or the dataset has none.
    """
    if settings.split.strategy == "probe":
        return find_pairs(settings.split.probe)
    return find_fold(settings) if settings.split.strategy == "published" else None


def read_held_out(spark: SparkSession, settings: Settings) -> HeldOutPairs | None:
    """The pairs in that file."""
    file = held_out_file(settings)
    if file is None:
        return None
    is_probe = settings.split.strategy == "probe"
    lines: LineFormat = DumpLines("pairs") if is_probe else rating_lines(U_DATA, file, settings.scale)
    return _read(spark, file, lines, settings.ingest)


def read_pairs(spark: SparkSession, path: str, settings: IngestSettings) -> HeldOutPairs:
    """The pairs of a file such as probe.txt (`user` a line) or qualifying.txt (`user,YYYY-MM-DD`); .gz too.

    Raises ConfigurationError where there is no such file, or there are several.
    """
    return _read(spark, find_pairs(path), DumpLines("pairs"), settings)


def _read(spark: SparkSession, file: RawFile, lines: LineFormat, settings: IngestSettings) -> HeldOutPairs:
    columns = ("position", "user_id", "item_id", "rated_at")
    pairs = read_lines(spark, {0: file}, lines, settings, columns=columns)
    survey = read_survey(spark, {0: file}, lines, settings).where(F.col("reason").isNotNull())
    return HeldOutPairs(pairs, survey.select("position", "line", "reason"))


def find_fold(settings: Settings) -> RawFile:
    """The .test file of split.fold, beside u.data.

    Raises ConfigurationError where no fold of that name is published, the dataset is another, or the file is not
    there, and DataError where there are no ratings, or their archive is damaged.
    """
    fold = settings.split.fold
    if fold not in FOLDS:
        raise ConfigurationError(f'split.fold = "{fold}": must be one of {", ".join(FOLDS)}')
    asked = f'split.strategy = "published": {fold}.test'
    if settings.data.source != "movielens":
        raise ConfigurationError(f'{asked} is of MovieLens 100K, and data.source = "{settings.data.source}"')
    dataset = find_one(settings.data.path, EDITIONS, name="MovieLens")
    if dataset.edition is not U_DATA:
        raise ConfigurationError(f"{asked} is of MovieLens 100K, and {dataset.folder} holds {dataset.edition.name}")
    found = find(dataset.folder, setting="data.path", in_folder={f"{fold}.test", f"{fold}.test.gz"}.__contains__)
    files = [file for file in found if file.folder == dataset.folder]
    if not files:
        raise ConfigurationError(f"{asked} is not beside {dataset.ratings[0].path}")
    return files[0]
