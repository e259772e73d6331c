"""Files that say which ratings are to test: the Prize's probe.txt, MovieLens 100K's published folds."""

from __future__ import annotations

from pyspark.sql import SparkSession

from nightreel.settings import Settings
from nightreel.sources.datasets.movielens import PublishedPairs, find_fold, published_pairs
from nightreel.sources.files import RawFile
from nightreel.sources.netflix import find_pairs, read_pairs
from nightreel.sources.netflix.pairs import Pairs


def held_out_file(settings: Settings) -> RawFile | None:
    """The file that split.strategy asks for; None: it needs none.

    Raises
    ------
    ConfigurationError : it is not there, or the dataset has none
    """
    match settings.split.strategy:
        case "probe":
            return find_pairs(settings.split.probe)
        case "published":
            return find_fold(settings)
        case _:
            return None


def read_held_out(spark: SparkSession, settings: Settings) -> Pairs | PublishedPairs | None:
    """The pairs of user_id and item_id in that file, and its rejected lines."""
    match settings.split.strategy:
        case "probe":
            return read_pairs(spark, settings.split.probe, settings.ingest)
        case "published":
            return published_pairs(spark, settings)
        case _:
            return None
