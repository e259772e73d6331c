"""MovieLens 100K's published folds: which ratings others held out, and so which results compare with theirs."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from nightreel.errors import ConfigurationError
from nightreel.settings import Settings
from nightreel.sources import delimited
from nightreel.sources.files import RawFile, find
from nightreel.sources.movielens.forms import FORMS, U_DATA
from nightreel.sources.movielens.ratings import rating_lines
from nightreel.sources.published.finding import find_one

FOLDS = ("u1", "u2", "u3", "u4", "u5", "ua", "ub")


@dataclass(frozen=True)
class PublishedPairs:
    """What a fold holds out, and the rejected lines of its file.

    pairs : grain user x item; user_id bigint, item_id bigint
    rejects : grain rejected line; position bigint, line string, reason string
    """

    pairs: DataFrame
    rejects: DataFrame


def published_pairs(spark: SparkSession, settings: Settings) -> PublishedPairs:
    """The pairs of the .test file of split.fold.

    Raises
    ------
    ConfigurationError, DataError : as `find_fold`
    """
    files = {0: (find_fold(settings), rating_lines(U_DATA, find_fold(settings), settings.scale))}
    ratings = delimited.ratings(spark, files, settings.ingest)
    survey = delimited.survey(spark, files, settings.ingest)
    return PublishedPairs(
        pairs=ratings.select("user_id", "item_id").distinct(),
        rejects=survey.where(F.col("reason").isNotNull()).select("position", "line", "reason"),
    )


def find_fold(settings: Settings) -> RawFile:
    """The .test file of split.fold, beside u.data.

    Raises
    ------
    ConfigurationError : no fold of that name is published, the dataset is another, or the file is not there
    DataError : there are no ratings, or their archive is damaged
    """
    fold = settings.split.fold
    if fold not in FOLDS:
        raise ConfigurationError(f'split.fold = "{fold}": must be one of {", ".join(FOLDS)}')
    asked = f'split.strategy = "published": {fold}.test'
    if settings.data.source != "movielens":
        raise ConfigurationError(f'{asked} is of MovieLens 100K, and data.source = "{settings.data.source}"')
    dataset = find_one(settings.data.path, FORMS, name="MovieLens")
    if dataset.form is not U_DATA:
        raise ConfigurationError(f"{asked} is of MovieLens 100K, and {dataset.folder} holds {dataset.form.said}")
    names = {f"{fold}.test", f"{fold}.test.gz"}
    found = find(dataset.folder, setting="data.path", in_folder=names.__contains__, in_glob=names.__contains__)
    files = [file for file in found if file.folder == dataset.folder]
    if not files:
        raise ConfigurationError(f"{asked} is not beside {dataset.ratings[0].path}")
    return files[0]
