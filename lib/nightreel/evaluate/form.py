"""The form every metric takes: a row of gold_metrics less its run."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def as_rows(measured: DataFrame, metrics: Mapping[str, str]) -> DataFrame:
    """One row with a column a metric becomes a row a metric.

    Parameters
    ----------
    measured : one row; the metrics' columns and those counting what they were measured on
    metrics : a metric's column, and the column of its count

    Returns
    -------
    grain metric; columns metric, value double, rows bigint
    """
    rows = [
        F.struct(
            F.lit(metric).alias("metric"),
            F.col(f"`{metric}`").cast("double").alias("value"),
            F.col(count).cast("bigint").alias("rows"),
        )
        for metric, count in metrics.items()
    ]
    return measured.select(F.inline(F.array(*rows)))
