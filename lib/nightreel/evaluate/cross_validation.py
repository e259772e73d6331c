"""Cross-validation of many models: runs the cells that are missing and gathers what is known of all."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from nightreel.errors import ConfigurationError, NightreelError
from nightreel.evaluate.cells import Cell, Measures, in_memory, on_spark
from nightreel.evaluate.comparison import Candidate, Standing, standings
from nightreel.models import TrainedModel, TrainingContext
from nightreel.models.engine.one_task import FitsArrays
from nightreel.models.forms.arrays import Lists
from nightreel.models.forms.neighbours import lists_in
from nightreel.settings.sections import CompareSettings

RATING_METRICS = ("rmse", "mae", "coverage", "cold_rows")
RANKING_METRICS = ("precision", "recall", "ndcg", "map", "mrr", "hit_rate", "catalogue_coverage", "novelty")
SAMPLED_METRICS = ("sampled_hit_rate", "sampled_ndcg")
"""In memory only, and only where compare.sampled_negatives asks for them."""

COLUMNS = ("fold", "candidate", "model", "params", "metric", "value", "rows", "fit_seconds", "predict_seconds",
           "peak_bytes", "error")  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """The results; grain fold x candidate x metric, in pandas with COLUMNS. metric is null of a cell that failed."""

    results: pd.DataFrame
    metric: str
    """What the leaderboard is ordered by."""

    def standings(self, metric: str | None = None) -> list[Standing]:
        """The candidates by the metric, the best first."""
        return standings(self.results, metric or self.metric)

    def leaderboard(self, metrics: Iterable[str] = ()) -> pd.DataFrame:
        """Grain candidate, in the order of the standings, then those without the metric, then those that failed.

        Columns candidate, then of each metric the mean and <metric> std, <metric> behind and <metric> error (see
        Standing), fit_seconds, predict_seconds, peak_bytes, error.
        """
        found: dict[str, dict[str, object]] = {}
        for metric in [self.metric, *(name for name in metrics if name != self.metric)]:
            for one in self.standings(metric):
                row = found.setdefault(one.label, {})
                row |= {metric: one.mean, f"{metric} std": one.std, f"{metric} behind": one.behind}
                row |= {f"{metric} error": one.error, "fit_seconds": one.fit_seconds}
                row |= {"predict_seconds": one.predict_seconds, "peak_bytes": one.peak_bytes}
        for label, error in self.failures().items():
            found.setdefault(label, {})["error"] = error
        return pd.DataFrame.from_dict(found, orient="index").rename_axis("candidate").reset_index()

    def failures(self) -> dict[str, str]:
        """By candidate, the error of its first fold that failed."""
        failed = self.results[self.results.error.notna()].sort_values("fold")
        return dict(failed.groupby("candidate", sort=False).error.first())


@dataclass(frozen=True)
class Comparing:
    """What a comparison needs beside its rows.

    context : for training on Spark; its files and validation rows are not those of a fold, and are left out
    done : (fold, candidate) of cells that are known already
    keep : called with each cell when it is done
    say : called with a line about each cell
    """

    measures: Measures
    settings: CompareSettings
    context: TrainingContext
    create: Callable[[str], Candidate]
    done: Collection[tuple[int, str]] = ()
    keep: Callable[[Cell], None] = lambda _: None
    say: Callable[[str], None] = field(default=lambda _: None)


def compare(rows: DataFrame, candidates: Sequence[Candidate], how: Comparing) -> Comparison:
    """Every candidate trained without each fold and measured on it. One that fails does not stop the others.

    Parameters
    ----------
    rows : grain user x item; columns user_idx, item_idx, rating, fold (see with_fold)

    Raises
    ------
    ConfigurationError : a fold without rows, an unknown metric or one that the data has not, a model too large
    """
    check_metric(how.settings.metric, how.measures)
    counts = {fold: count for fold, count in rows.groupBy("fold").count().collect() if fold >= 0}
    folds = 1 if how.settings.strategy == "split" else how.settings.folds
    for fold in range(folds):
        if not counts.get(fold):
            raise ConfigurationError(
                f"compare.folds = {how.settings.folds}: no row is in fold {fold} (strategy {how.settings.strategy})"
            )
    total, users, items = rows.agg(F.count("*"), F.max("user_idx"), F.max("item_idx")).collect()[0]
    for candidate in candidates:
        try:
            candidate.algorithm.check()
            candidate.algorithm.check_size(users=users + 1, items=items + 1, ratings=total)
        except NightreelError as error:
            raise ConfigurationError(str(error)) from None
    wanted = [(fold, one) for one in candidates for fold in range(folds) if (fold, one.label) not in how.done]
    small = total <= how.settings.in_memory_rows
    quick = [cell for cell in wanted if small and _fits_arrays(cell[1])]
    cells: list[Cell] = []
    if quick:
        workers = how.settings.workers or os.cpu_count() or 1
        for cell in in_memory(rows, quick, how.measures, workers=workers, item_text=_text(how.context)):
            cells.append(_kept(cell, how))
    for fold, candidate in wanted:
        if (fold, candidate) not in quick:
            cells.append(_kept(on_spark(rows, fold, candidate, how.measures, _context(rows, fold, how)), how))
    return Comparison(as_frame(cells), how.settings.metric)


def check_metric(metric: str, measures: Measures) -> None:
    """Raise ConfigurationError where cells are not measured by it."""
    named = [*RANKING_METRICS, *(SAMPLED_METRICS if measures.negatives else ())]
    lists = [f"{name}@{k}" for name in named for k in measures.evaluate.k]
    if metric in RATING_METRICS and not measures.rates:
        raise ConfigurationError(f"compare.metric = {metric}: needs ratings, and the data holds events")
    if metric not in (*RATING_METRICS, *lists):
        known = ", ".join([*(RATING_METRICS if measures.rates else ()), *lists])
        raise ConfigurationError(f"compare.metric = {metric}: unknown; measured here: {known}")


def as_frame(cells: Iterable[Cell]) -> pd.DataFrame:
    """Grain fold x candidate x metric; columns COLUMNS."""
    rows = [row for cell in cells for row in rows_of(cell)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def rows_of(cell: Cell) -> list[dict[str, object]]:
    """A row for each metric; of a cell that failed one, without metric."""
    one = cell.candidate
    labels = {
        "fold": cell.fold,
        "candidate": one.label,
        "model": one.model,
        "params": one.params,
        "fit_seconds": cell.fit_seconds if cell.error is None else None,
        "predict_seconds": cell.predict_seconds if cell.error is None else None,
        "peak_bytes": cell.peak_bytes,
        "error": cell.error,
    }
    if cell.error is not None:
        return [{**labels, "metric": None, "value": None, "rows": None}]
    return [{**labels, "metric": name, "value": value, "rows": rows} for name, (value, rows) in cell.metrics.items()]


def _fits_arrays(candidate: Candidate) -> bool:
    return all(isinstance(one, FitsArrays) for one in (candidate.algorithm, *candidate.members.values()))


def _kept(cell: Cell, how: Comparing) -> Cell:
    how.keep(cell)
    value = cell.metrics.get(how.settings.metric)
    what = cell.error or (f"{how.settings.metric} {value[0]:.4f}" if value else f"no {how.settings.metric}")
    how.say(f"{cell.candidate.label}, fold {cell.fold}: {what}")
    return cell


def _context(rows: DataFrame, fold: int, how: Comparing) -> TrainingContext:
    """A blend's members are trained on the fold's rows too."""
    from dataclasses import replace

    train = rows.where(F.col("fold") != fold).select("user_idx", "item_idx", "rating")

    def trained(name: str) -> TrainedModel:
        return how.create(name).algorithm.fit(train, seed=how.measures.seed, context=how.context)

    return replace(how.context, validation=None, files={}, trained=trained)


def _text(context: TrainingContext) -> Lists | None:
    if context.item_text is None:
        return None
    text = context.item_text.select("item_idx", "terms", "weights").toArrow()
    return lists_in(text, index="item_idx", ids="terms", values="weights") if text.num_rows else None
