"""Spark ML's alternating least squares, and the cut of its lineage that many iterations need."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from nightreel.errors import ConfigurationError
from nightreel.settings.sections import Penalty, PositiveInt, Section

_CHECKPOINTS = "spark.checkpoint.dir"


class AlternatingParams(Section):
    """What alternating least squares take, whoever solves them."""

    rank: PositiveInt
    reg: Penalty
    """Multiplied by the number of ratings of each user and item (ALS-WR, Zhou et al. 2008)."""
    iterations: PositiveInt


class FactorisationParams(AlternatingParams):
    """What Spark ML's ALS takes besides."""

    blocks: Annotated[int, Field(ge=0)]
    """Blocks of users and of items, the unit of a task; 0: Spark's 10. Other blocks, other starting vectors."""
    checkpoint_interval: PositiveInt
    """Iterations between two cuts of the lineage, which overflows the stack when left to grow."""


def factorise(
    rows: DataFrame,
    params: FactorisationParams,
    *,
    seed: int,
    nonnegative: bool = False,
    implicit: bool = False,
    alpha: float = 1.0,
) -> tuple[DataFrame, DataFrame]:
    """The vectors of users and of items; equal rows and seeds give equal vectors.

    Parameters
    ----------
    rows : grain user x item; columns user_idx int, item_idx int, rating float

    Returns
    -------
    grain user and grain item; columns <index> int, factors array<float> of length rank

    Raises
    ------
    ConfigurationError : the session has no checkpoint folder
    """
    from pyspark.ml.recommendation import ALS  # here, so that the workers of the top-N engine start without pyspark.ml

    require_checkpoints(rows.sparkSession)
    blocks = params.blocks or 10
    als = ALS(
        rank=params.rank,
        maxIter=params.iterations,
        regParam=params.reg,
        numUserBlocks=blocks,
        numItemBlocks=blocks,
        implicitPrefs=implicit,
        alpha=alpha,
        nonnegative=nonnegative,
        userCol="user_idx",
        itemCol="item_idx",
        ratingCol="rating",
        seed=seed,
        checkpointInterval=params.checkpoint_interval,
        coldStartStrategy="nan",
    )
    # The order of a user's rows decides the last bits of each sum.
    ordered = rows.repartition(blocks, "user_idx").sortWithinPartitions("user_idx", "item_idx", "rating")
    trained = als.fit(ordered)
    # Cut, since Spark frees the vectors with the trained model, and a Connect server forgets them.
    users, items = (
        cut(learnt.select(F.col("id").alias(key), F.col("features").alias("factors")))
        for learnt, key in ((trained.userFactors, "user_idx"), (trained.itemFactors, "item_idx"))
    )
    return users, items


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
    if not spark.conf.get(_CHECKPOINTS, None):
        raise ConfigurationError(
            f"{_CHECKPOINTS}: not set; iterative models need a folder there that every executor reaches, "
            "given when the session starts"
        )
