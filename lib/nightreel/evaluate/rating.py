"""Errors of predicted ratings."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from nightreel.evaluate.ranking import as_rows
from nightreel.settings import ScaleSettings


def rating_metrics(predictions: DataFrame, scale: ScaleSettings) -> DataFrame:
    """RMSE and MAE of predictions clipped to the scale, including the fallbacks for cold rows, in one pass.

    - rmse: square root of the mean of (prediction - rating)^2
    - mae: mean of |prediction - rating|
    - coverage: share of rows that are not cold, 0 to 1
    - cold_rows: number of cold rows

    Parameters
    ----------
    predictions : grain user x item; columns rating, prediction, cold boolean
    scale : lowest and highest rating

    Returns
    -------
    grain metric; columns metric, value double (null where there are no rows), rows bigint (pairs)
    """
    clipped = F.least(F.greatest(F.col("prediction").cast("double"), F.lit(scale.lowest)), F.lit(scale.highest))
    error = clipped - F.col("rating")
    cold = F.col("cold").cast("double")
    values: dict[str, Column] = {
        "rmse": F.sqrt(F.avg(error * error)),
        "mae": F.avg(F.abs(error)),
        "coverage": 1 - F.avg(cold),
        "cold_rows": F.sum(cold),
    }
    measured = predictions.agg(*[value.alias(name) for name, value in values.items()], F.count("*").alias("rows"))
    return as_rows(measured, dict.fromkeys(values, "rows"))
