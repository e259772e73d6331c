"""The compare step: silver tables in, gold_comparison out, and the comparison as text, files and a page."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from nightreel import __version__
from nightreel.errors import ConfigurationError
from nightreel.evaluate.cells import Cell, Measures
from nightreel.evaluate.comparison import Candidate, candidates, with_fold
from nightreel.evaluate.cross_validation import COLUMNS, Comparing, Comparison, as_frame, check_metric, compare, rows_of
from nightreel.evaluate.tuning import fragment, tune
from nightreel.evaluate.win_rate import win_rates
from nightreel.job.job import Job
from nightreel.models import TrainingContext
from nightreel.models.engine.one_task import item_text_lists
from nightreel.models.forms.arrays import Ratings
from nightreel.nightly.silver import current_prepare_id
from nightreel.nightly.training import networks_folder
from nightreel.settings import Settings
from nightreel.tables import digest, sql_text

if TYPE_CHECKING:
    import pandas as pd


def check_comparison(settings: Settings, *, models: Sequence[str], grid: Sequence[str]) -> list[Candidate]:
    """The candidates; raises ConfigurationError for an unknown model, key or metric, before Spark starts."""
    check_metric(settings.compare.metric, measures_of(settings))
    wanted = candidates(settings, models=models, grid=grid)
    for candidate in wanted:
        candidate.algorithm.check()
    return wanted


def about(job: Job) -> str:
    """A line on what was compared."""
    folds, settings = job.settings.compare, job.settings
    rows = job.tables.read("silver_interactions").count()
    how = {
        "hash": f"{folds.folds} folds",
        "leave_one_out": f"one row a user, {folds.folds} times",
        "split": "the test split",
    }
    return (
        f"{settings.tables.dataset}: {rows:,} ratings, {how[folds.strategy]}; lists from the full catalogue without "
        f"the training items; liked from {settings.evaluate.relevant_from:g}"
    )


def measures_of(settings: Settings) -> Measures:
    """What the comparison's cells are measured by."""
    rates = settings.data.source != "events"
    negatives = settings.compare.sampled_negatives
    return Measures(settings.evaluate, settings.scale, settings.train.seed, rates=rates, negatives=negatives)


def comparison(job: Job, wanted: Sequence[Candidate]) -> tuple[str, Comparison]:
    """The comparison's id and results. Cells that gold_comparison has are not repeated, those that failed are.

    The id is a digest of the rows, the folds and the measures; so another model joins the same comparison.
    """
    settings, prepare_id = job.settings, current_prepare_id(job.tables)
    measures = measures_of(settings)
    folds = settings.compare.model_dump(include={"strategy", "folds", "seed"})
    parts = [
        __version__,
        prepare_id,
        folds,
        settings.evaluate.model_dump(exclude={"split"}),
        settings.scale.model_dump(),
    ]
    comparison_id = digest([*parts, measures.seed, measures.negatives])
    known = _known(job, comparison_id, wanted)

    def keep(cell: Cell) -> None:
        labels = {"comparison_id": comparison_id, "finished_at": datetime.now(UTC)}
        condition = (
            f"comparison_id = {sql_text(comparison_id)} AND fold = {cell.fold} "
            f"AND candidate = {sql_text(cell.candidate.label)}"
        )
        job.tables.put("gold_comparison", [labels | row for row in rows_of(cell)], condition)

    interactions, users, items = (job.tables.read(f"silver_{name}") for name in ("interactions", "users", "items"))
    rows = with_fold(interactions, users, items, settings.compare).persist()
    text = job.tables.read("silver_item_text")
    networks = networks_folder(job)
    context = TrainingContext(
        folder=str(networks / "compared") if networks else "",
        scale=settings.scale,
        launch=settings.neural,
        item_text=None if text.isEmpty() else text,
    )
    how = Comparing(
        measures=measures,
        settings=settings.compare,
        context=context,
        done=set(zip(known.fold.tolist(), known.candidate.tolist(), strict=True)),
        keep=keep,
        say=lambda line: print(line, file=sys.stderr),
    )
    try:
        with job.step(f"compare {len(wanted)} candidates"):
            found = compare(rows, wanted, how)
    finally:
        rows.unpersist()
    import pandas as pd

    frames = [frame for frame in (known, found.results) if len(frame)]
    return comparison_id, Comparison(pd.concat(frames) if frames else as_frame([]), settings.compare.metric)


def won(job: Job, wanted: Sequence[Candidate]) -> pd.DataFrame:
    """The win rates of the candidates over one another (see win_rates); rows over columns."""
    current_prepare_id(job.tables)
    interactions = job.tables.read("silver_interactions")
    total = interactions.count()
    if total > job.settings.compare.in_memory_rows:
        raise ConfigurationError(
            f"--win-rate: {total:,} ratings, more than compare.in_memory_rows = {job.settings.compare.in_memory_rows:,}"
        )
    rows = interactions.select("user_idx", "item_idx", "rating").toArrow()
    columns = (rows.column(name).to_numpy() for name in ("user_idx", "item_idx", "rating"))
    with job.step(f"win rates of {len(wanted)} candidates"):
        return win_rates(Ratings.of(*columns), wanted, measures_of(job.settings))


def tuned(job: Job, model: str) -> str:
    """The best hyperparameters of the model on the validation rows, as a fragment of configuration."""
    current_prepare_id(job.tables)
    lists = item_text_lists(job.tables.read("silver_item_text"))
    with job.step(f"tune {model}"):
        found = tune(
            job.tables.read("silver_interactions"), model, job.settings, measures_of(job.settings), item_text=lists,
            say=lambda line: print(line, file=sys.stderr),
        )  # fmt: skip
    return fragment(model, found, metric=job.settings.compare.metric, dataset=job.settings.tables.dataset)


def _known(job: Job, comparison_id: str, wanted: Sequence[Candidate]) -> pd.DataFrame:
    """What gold_comparison has of the candidates, with the same hyperparameters."""
    if not job.tables.exists("gold_comparison"):
        return as_frame([])
    rows = job.tables.read("gold_comparison").where((F.col("comparison_id") == comparison_id) & F.col("error").isNull())
    known = rows.select(*COLUMNS).toPandas()
    params = {candidate.label: candidate.params for candidate in wanted}
    return known[known.candidate.map(params.get) == known.params]
