"""One cell of a comparison: a candidate trained without a fold and measured on it, in memory or on Spark."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from nightreel.errors import ConfigurationError
from nightreel.evaluate.array_metrics import ranking_metrics, rating_metrics, sampled_metrics
from nightreel.evaluate.comparison import RATING_METRICS, Candidate
from nightreel.evaluate.held_out import evaluate, hold_out
from nightreel.models import Algorithm, Capability, TrainedModel, TrainingContext
from nightreel.models.classical.blend import BlendAlgorithm
from nightreel.models.engine.catalogue import Ranked
from nightreel.models.engine.one_task import ArrayContext, FitsArrays
from nightreel.models.forms.arrays import ArrayModel, Lists, Ratings, lists_of
from nightreel.settings import EvaluateSettings, ScaleSettings

_COLUMNS = ("user_idx", "item_idx", "rating", "fold")
_VALIDATION_OF = 10
"""One training row in so many is left to a blend's weights."""


@dataclass(frozen=True)
class Measures:
    """What every cell is measured by.

    rates : whether the ratings mean anything: of events, rmse and mae are left out
    negatives : unseen items that each relevant one is ranked among for sampled_*; 0: not measured
    """

    evaluate: EvaluateSettings
    scale: ScaleSettings
    seed: int
    rates: bool = True
    negatives: int = 0


@dataclass(frozen=True)
class Cell:
    """What became of a candidate on a fold.

    metrics : by name, the value and the rows it was measured on
    fit_seconds, predict_seconds : predict: predictions of the fold's rows, and lists of its users
    peak_bytes : of the process's memory; None where the system does not tell
    error : in one line, where it failed
    broken : the system ended a process of its pool, not necessarily its own
    """

    fold: int
    candidate: Candidate
    metrics: Mapping[str, tuple[float, int]] = field(default_factory=dict)
    fit_seconds: float = float("nan")
    predict_seconds: float = float("nan")
    peak_bytes: int | None = None
    error: str | None = None
    broken: bool = False


def in_memory(
    rows: DataFrame, wanted: Sequence[tuple[int, Candidate]], measures: Measures, *, workers: int,
    item_text: Lists | None = None,
) -> Iterator[Cell]:  # fmt: skip
    """The cells as they are done, by processes of their own that share the rows; no Spark plan a cell.

    Parameters
    ----------
    rows : grain user x item; columns user_idx, item_idx, rating, fold; collected
    wanted : folds and candidates whose algorithms are FitsArrays
    workers : processes at once, each with one thread; 0: one a core
    """
    with tempfile.TemporaryDirectory() as folder:
        table = rows.select(*_COLUMNS).toArrow()
        for name in _COLUMNS:
            np.save(Path(folder) / f"{name}.npy", table.column(name).to_numpy())
        many, given = min(workers or os.cpu_count() or 1, len(wanted)), (folder, measures, item_text)
        unfinished = list[tuple[int, Candidate]]()
        for cell in _by_processes(wanted, many, given):
            if cell.broken:
                unfinished.append((cell.fold, cell.candidate))
            else:
                yield cell
        for one in unfinished:  # the system ended a process, which breaks the pool: each in a process of its own
            yield from _by_processes([one], 1, given)


def _by_processes(wanted: Sequence[tuple[int, Candidate]], many: int, given: tuple[Any, ...]) -> Iterator[Cell]:
    """The cells as they are done; those of a pool that broke are marked so."""
    # loky's processes do not import the caller's script, which may be a notebook or have no `if __name__` guard.
    from loky import ProcessPoolExecutor, as_completed
    from loky.process_executor import BrokenProcessPool

    alone = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    with ProcessPoolExecutor(many, initializer=_open, initargs=given, env=alone) as pool:
        running = {pool.submit(_measured, fold, candidate): (fold, candidate) for fold, candidate in wanted}
        for ended in as_completed(running):
            fold, candidate = running[ended]
            try:
                yield ended.result()
            except BrokenProcessPool:
                yield Cell(fold, candidate, error="its process was ended by the system: out of memory?", broken=True)
            except Exception as error:
                yield Cell(fold, candidate, error=_one_line(error))


_opened: tuple[dict[str, Any], Measures, Lists | None]


def _open(folder: str, measures: Measures, item_text: Lists | None) -> None:
    global _opened
    _opened = {name: np.load(Path(folder) / f"{name}.npy", mmap_mode="r") for name in _COLUMNS}, measures, item_text


def _measured(fold: int, candidate: Candidate) -> Cell:
    columns, measures, item_text = _opened
    return measure_arrays(fold, candidate, columns, measures, item_text=item_text)


def measure_arrays(
    fold: int, candidate: Candidate, columns: Mapping[str, Any], measures: Measures, *, item_text: Lists | None = None
) -> Cell:
    """Train on the rows of the other folds, measure on this one's.

    Parameters
    ----------
    columns : user_idx, item_idx, rating and fold, each (rows,)
    """
    _forget_peak()
    try:
        users, items, rating = (np.asarray(columns[name]) for name in ("user_idx", "item_idx", "rating"))
        here = np.asarray(columns["fold"]) == fold
        size = {"n_users": int(users.max()) + 1, "n_items": int(items.max()) + 1}
        train = Ratings.of(users[~here], items[~here], rating[~here], **size)
        started = time.perf_counter()
        model = fit_candidate(candidate, train, measures.seed, item_text)
        fitted = time.perf_counter()
        metrics = _answers(model, train, users[here], items[here], rating[here], measures)
        ended = time.perf_counter()
    except Exception as error:
        return Cell(fold, candidate, error=_one_line(error))
    return Cell(fold, candidate, metrics, fitted - started, ended - fitted, _peak())


def fit_candidate(candidate: Candidate, train: Ratings, seed: int, item_text: Lists | None) -> ArrayModel:
    """The candidate trained in memory; a blend's members too, and its weights on every tenth row, left out of them."""
    validation = None
    if _needs_validation(candidate):
        left_out = np.random.default_rng(seed).permutation(len(train)) % _VALIDATION_OF == 0
        train, validation = train.where(~left_out), train.where(left_out)

    def fitted(algorithm: Algorithm[Any], context: ArrayContext) -> ArrayModel:
        if not isinstance(algorithm, FitsArrays):
            raise ConfigurationError(f"model {algorithm.name}: does not train in memory")
        return algorithm.fit_arrays(train, seed=seed, context=context)

    def trained(name: str) -> ArrayModel:
        return fitted(candidate.members[name], ArrayContext(item_text=item_text))

    return fitted(candidate.algorithm, ArrayContext(item_text=item_text, validation=validation, trained=trained))


def _needs_validation(candidate: Candidate) -> bool:
    return isinstance(candidate.algorithm, BlendAlgorithm) and candidate.algorithm.uses_validation


def _answers(
    model: ArrayModel, train: Ratings, users: Any, items: Any, rating: Any, measures: Measures
) -> dict[str, tuple[float, int]]:
    metrics: dict[str, tuple[float, int]] = {}
    if Capability.PREDICT in model.capabilities and measures.rates:
        metrics |= rating_metrics(model.predict(users, items), rating, measures.scale)
    if Capability.RECOMMEND in model.capabilities:
        settings = measures.evaluate
        asked = np.unique(users)
        liked = rating >= settings.relevant_from
        relevant = lists_of(np.searchsorted(asked, users[liked]), items[liked], rating[liked], n_rows=len(asked))
        longest = max(settings.k)
        n = train.n_items if measures.negatives else longest
        ranked = model.recommend(asked, n=n, seen=train.by_user.of(asked))
        metrics |= ranking_metrics(
            Ranked._make(part[ranked.rank <= longest] for part in ranked),
            relevant,
            ks=settings.k,
            popularity=train.by_item.counts,
            training_users=int(np.count_nonzero(train.by_user.counts)),
        )
        if measures.negatives:
            metrics |= sampled_metrics(
                ranked, relevant, ks=settings.k, n_items=train.n_items, negatives=measures.negatives, seed=measures.seed
            )
    return metrics


def on_spark(rows: DataFrame, fold: int, candidate: Candidate, measures: Measures, context: TrainingContext) -> Cell:
    """As `in_memory`, through the contract that the night uses; rows stay on the executors.

    Parameters
    ----------
    context : its files and validation rows are not those of the fold, and are left out
    """
    split = F.when(F.col("fold") == fold, "test").otherwise("train")
    marked = rows.select("user_idx", "item_idx", "rating", split.alias("split"))
    train, validation = marked.where("split = 'train'").drop("split"), None
    if _needs_validation(candidate):
        tenth = F.pmod(F.xxhash64("user_idx", "item_idx", F.lit(measures.seed)), F.lit(_VALIDATION_OF)) == 0
        train, validation = train.where(~tenth), train.where(tenth)

    def trained(name: str) -> TrainedModel:
        return candidate.members[name].fit(train, seed=measures.seed, context=context)

    of_fold = replace(context, validation=validation, files={}, trained=trained)
    try:
        started = time.perf_counter()
        model = candidate.algorithm.fit(train, seed=measures.seed, context=of_fold)
        fitted = time.perf_counter()
        settings = measures.evaluate.model_copy(update={"split": "test"})
        with hold_out(marked, settings) as held_out:
            found = evaluate(model, held_out, measures.scale)
        ended = time.perf_counter()
    except Exception as error:
        return Cell(fold, candidate, error=_one_line(error))
    left_out = () if measures.rates else RATING_METRICS
    metrics = {row["metric"]: (row["value"], row["rows"]) for row in found if row["metric"] not in left_out}
    return Cell(fold, candidate, metrics, fitted - started, ended - fitted)


def _one_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0][:300] if text else ''}"


def _forget_peak() -> None:
    """Let the process's peak of memory start anew, where the system can (Linux)."""
    clear = Path("/proc/self/clear_refs")
    if clear.exists():
        try:
            clear.write_text("5")
        except OSError:
            return


def _peak() -> int | None:
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    for line in status.read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return None
