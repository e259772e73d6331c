"""Cutting a plan that iterations would otherwise make longer and longer."""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession

from nightreel.errors import ConfigurationError

_FOLDER = "spark.checkpoint.dir"


def cut(frame: DataFrame) -> DataFrame:
    """The same rows, computed once and read from the session's checkpoint folder from now on.

    Raises
    ------
    ConfigurationError : the session has no checkpoint folder
    """
    require_checkpoints(frame.sparkSession)
    return frame.checkpoint()


def require_checkpoints(spark: SparkSession) -> None:
    """Raise ConfigurationError unless there is a checkpoint folder; without one Spark's ALS goes on, uncut."""
    if not spark.conf.get(_FOLDER, None):
        raise ConfigurationError(
            f"{_FOLDER}: not set; iterative models need a folder there that every executor reaches, "
            "given when the session starts"
        )
