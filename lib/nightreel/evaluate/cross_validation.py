"""Cross-validation of many models: runs the cells that are missing and gathers what is known of all."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from nightreel.errors import ConfigurationError, NightreelError
from nightreel.evaluate.cells import Cell, Measures, in_memory, on_spark
from nightreel.evaluate.comparison import RATING_METRICS, Candidate, Standing, standings
from nightreel.models import TrainingContext
from nightreel.models.engine.one_task import FitsArrays, item_text_lists
from nightreel.settings.sections import CompareSettings

if TYPE_CHECKING:
    import pandas as pd

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
        import pandas as pd  # half of what a job loads before it checks its settings

        return pd.DataFrame.from_dict(found, orient="index").rename_axis("candidate").reset_index()

    def failures(self) -> dict[str, str]:
        """By candidate, the error of its first fold that failed."""
        failed = self.results[self.results.error.notna()].sort_values("fold")
        return dict(failed.groupby("candidate", sort=False).error.first())


@dataclass(frozen=True)
class Comparing:
    """What a comparison needs beside its rows.

    context : for training on Spark, and the items' text
    done : (fold, candidate) of cells that are known already
    keep : called with each cell when it is done
    say : called with a line about each cell
    """

    measures: Measures
    settings: CompareSettings
    context: TrainingContext
    done: Collection[tuple[int, str]] = ()
    keep: Callable[[Cell], None] = lambda _: None
    say: Callable[[str], None] = lambda _: None


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
    for algorithm in (algorithm for candidate in candidates for algorithm in candidate.algorithms):
        try:
            algorithm.check()
            algorithm.check_size(users=users + 1, items=items + 1, ratings=total)
        except NightreelError as error:
            raise ConfigurationError(str(error)) from None
    wanted = [(fold, one) for one in candidates for fold in range(folds) if (fold, one.label) not in how.done]
    small = total <= how.settings.in_memory_rows
    cells = [_kept(cell, how) for cell in _run(rows, wanted, how, small=small)]
    return Comparison(as_frame(cells), how.settings.metric)


def _run(rows: DataFrame, wanted: Sequence[tuple[int, Candidate]], how: Comparing, *, small: bool) -> Iterator[Cell]:
    """The cells as they are done: of small data first those that train in memory, then the others on Spark."""

    def in_arrays(candidate: Candidate) -> bool:
        return small and all(isinstance(algorithm, FitsArrays) for algorithm in candidate.algorithms)

    quick = [(fold, candidate) for fold, candidate in wanted if in_arrays(candidate)]
    if quick:
        trained = [algorithm for _, candidate in quick for algorithm in candidate.algorithms]
        reads = any(isinstance(algorithm, FitsArrays) and algorithm.uses_text for algorithm in trained)
        text = item_text_lists(how.context.item_text) if reads else None
        yield from in_memory(rows, quick, how.measures, workers=how.settings.workers, item_text=text)
    for fold, candidate in wanted:
        if not in_arrays(candidate):
            yield on_spark(rows, fold, candidate, how.measures, how.context)


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
    import pandas as pd

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


def _kept(cell: Cell, how: Comparing) -> Cell:
    how.keep(cell)
    value = cell.metrics.get(how.settings.metric)
    what = cell.error or (f"{how.settings.metric} {value[0]:.4f}" if value else f"no {how.settings.metric}")
    how.say(f"{cell.candidate.label}, fold {cell.fold}: {what}")
    return cell
