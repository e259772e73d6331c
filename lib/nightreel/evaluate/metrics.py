"""Errors of predicted ratings, and metrics of recommendations ranked from the full catalogue."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import accumulate

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

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

    Returns
    -------
    grain metric; columns metric, value double (null where there are no rows), rows bigint (pairs)
    """
    error = clipped_error(scale)
    cold = F.col("cold").cast("double")
    values: dict[str, Column] = {
        "rmse": F.sqrt(F.avg(error * error)),
        "mae": F.avg(F.abs(error)),
        "coverage": 1 - F.avg(cold),
        "cold_rows": F.sum(cold),
    }
    measured = predictions.agg(*[value.alias(name) for name, value in values.items()], F.count("*").alias("rows"))
    return _as_rows(measured, dict.fromkeys(values, "rows"))


def clipped_error(scale: ScaleSettings) -> Column:
    """prediction, clipped to the scale, - rating"""
    clipped = F.least(F.greatest(F.col("prediction").cast("double"), F.lit(scale.lowest)), F.lit(scale.highest))
    return clipped - F.col("rating")


def user_ranking(
    recommendations: DataFrame, held_out: DataFrame, *, metric: str, k: int, relevant_from: float
) -> DataFrame:
    """Grain user with a relevant held-out item; columns user_idx, value of the metric (see ranking_metrics) at k."""
    users = _hit_ranks(recommendations.where(F.col("rank") <= k), held_out, relevant_from)
    return users.select("user_idx", _MEASURES[metric](F.col("hits"), k).cast("double").alias("value"))


def ranking_metrics(
    recommendations: DataFrame, held_out: DataFrame, *, ks: Sequence[int], relevant_from: float
) -> DataFrame:
    """Means over the users with a relevant held-out item; a user without recommendations counts as zero.

    With r_1 < r_2 < ... the ranks of a user's relevant recommendations, h of them up to k, and n relevant items:

    - precision@k: h / k, even if fewer than k items were recommended
    - recall@k: h / n
    - hit_rate@k: 1 if h > 0
    - mrr@k: 1 / r_1 if r_1 <= k
    - map@k: sum of i / r_i over r_i <= k, divided by min(k, n)
    - ndcg@k: sum of 1 / log2(r_i + 1) over r_i <= k, divided by the same sum over ranks 1 to min(k, n)
      (Järvelin and Kekäläinen, 2002; gains 0 or 1)

    Parameters
    ----------
    recommendations : grain user x rank; columns user_idx, rank int (from 1), item_idx
    held_out : grain user x item; columns user_idx, item_idx, rating
    ks : lengths of the list, all measured in one pass
    relevant_from : the lowest rating of a relevant item

    Returns
    -------
    grain metric; columns metric (`precision@10`), value double (null where there are no such users), rows bigint
    (users with a relevant item)
    """
    users = _hit_ranks(recommendations.where(F.col("rank") <= max(ks)), held_out, relevant_from)
    columns = [
        F.avg(measure(F.filter("hits", _at_most(k)), k)).alias(f"{name}@{k}")
        for k in ks
        for name, measure in _MEASURES.items()
    ]
    measured = users.agg(*columns, F.count("*").alias("users"))
    return _as_rows(measured, {f"{name}@{k}": "users" for k in ks for name in _MEASURES})


def catalogue_metrics(
    recommendations: DataFrame, popularity: DataFrame, *, ks: Sequence[int], training_users: int
) -> DataFrame:
    """How much of the catalogue is recommended, and how little known the recommended items are.

    - catalogue_coverage@k: share of the items that are recommended to anyone up to rank k
    - novelty@k: mean over those recommendations of -log2(share of the training users who rated the item), in bits;
      an item nobody rated counts as rated by one (Zhou et al., 2010)

    Parameters
    ----------
    recommendations : grain user x rank; columns rank int (from 1), item_idx
    popularity : grain item, the whole catalogue; columns item_idx, n_ratings (training rows)
    ks : lengths of the list, all measured in one pass
    training_users : number of users with a training row

    Returns
    -------
    grain metric; columns metric, value double (null where nothing was recommended), rows bigint (of coverage: items
    in the catalogue; of novelty: recommendations)
    """
    shown = recommendations.groupBy("item_idx").agg(*[F.count_if(F.col("rank") <= k).alias(f"shown@{k}") for k in ks])
    share = F.greatest("n_ratings", F.lit(1)) / F.lit(training_users)
    items = popularity.join(shown, "item_idx", "left").withColumn("bits", -F.log2(share))
    columns = [F.count("*").alias("items")]
    for k in ks:
        times = F.col(f"`shown@{k}`")
        columns += [
            (F.count_if(times > 0) / F.count("*")).alias(f"catalogue_coverage@{k}"),
            (F.sum(times * F.col("bits")) / F.sum(times)).alias(f"novelty@{k}"),
            F.coalesce(F.sum(times), F.lit(0)).alias(f"rows{k}"),
        ]
    counts = {f"catalogue_coverage@{k}": "items" for k in ks} | {f"novelty@{k}": f"rows{k}" for k in ks}
    return _as_rows(items.agg(*columns), counts)


def shown_length(lengths: Collection[int]) -> int:
    """Of the lists that were measured, the length to speak of: 10, else the longest; 10 where there are none."""
    return 10 if 10 in lengths or not lengths else max(lengths)


def _as_rows(measured: DataFrame, metrics: Mapping[str, str]) -> DataFrame:
    """One row for each metric: columns metric, value double, rows bigint.

    Parameters
    ----------
    measured : one row; the metrics' columns and their counts'
    metrics : the column of each metric -> the column with the number of rows it was measured on
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


def _hit_ranks(recommendations: DataFrame, held_out: DataFrame, relevant_from: float) -> DataFrame:
    """Grain user with a relevant item; columns user_idx, relevant int (how many), hits array<int> (ascending ranks)."""
    relevant = (
        held_out.where(F.col("rating") >= relevant_from)
        .groupBy("user_idx")
        .agg(F.collect_set("item_idx").alias("relevant_items"))
    )
    lists = recommendations.groupBy("user_idx").agg(F.collect_list(F.struct("rank", "item_idx")).alias("list"))
    hits = F.filter("list", lambda shown: F.array_contains("relevant_items", shown["item_idx"]))
    ranks = F.array_sort(F.transform(hits, lambda shown: shown["rank"]))
    return relevant.join(lists, "user_idx", "left").select(
        "user_idx",
        F.size("relevant_items").alias("relevant"),
        F.coalesce(ranks, F.array().cast("array<int>")).alias("hits"),
    )


def _at_most(k: int) -> Callable[[Column], Column]:
    return lambda rank: rank <= k


def _sum(terms: Column) -> Column:
    return F.aggregate(terms, F.lit(0.0), lambda total, term: total + term)


def _average_precision(hits: Column, k: int) -> Column:
    precisions = F.transform(hits, lambda rank, place: (place + 1) / rank)
    return _sum(precisions) / F.least(F.lit(k), "relevant")


def _ndcg(hits: Column, k: int) -> Column:
    ideal = list(accumulate(1 / math.log2(rank + 1) for rank in range(1, k + 1)))
    best = F.get(F.array(*map(F.lit, ideal)), F.least(F.lit(k), "relevant") - 1)
    return _sum(F.transform(hits, lambda rank: 1 / F.log2(rank + 1))) / best


_MEASURES: Mapping[str, Callable[[Column, int], Column]] = {
    "precision": lambda hits, k: F.size(hits) / k,
    "recall": lambda hits, k: F.size(hits) / F.col("relevant"),  # noqa: ARG005
    "ndcg": _ndcg,
    "map": _average_precision,
    "mrr": lambda hits, k: F.coalesce(1 / F.get(hits, 0), F.lit(0.0)),  # noqa: ARG005
    "hit_rate": lambda hits, k: (F.size(hits) > 0).cast("double"),  # noqa: ARG005
}
