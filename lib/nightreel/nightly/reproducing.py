"""A recorded run trained and measured again: from its hyperparameters, seed, rows and what it went on from."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from pyspark.sql import functions as F

from nightreel import __version__, models
from nightreel import evaluate as evaluation
from nightreel.errors import ConfigurationError, DataError
from nightreel.job.job import Job
from nightreel.models import HYPERPARAMETERS, runs
from nightreel.nightly.training import networks_folder, rows_and_context
from nightreel.tables import EPOCH_METRICS

if TYPE_CHECKING:
    import pandas as pd

_SAME = 1e-3
"""Relative: sums added up in another order differ in their last digits, and change places with their like."""


class Reproduced(NamedTuple):
    """metrics : grain metric; columns metric, recorded, again, difference (relative)"""

    run: runs.Run
    metrics: pd.DataFrame
    notes: Sequence[str]

    @property
    def is_same(self) -> bool:
        return bool((self.metrics["difference"].abs() <= _SAME).all())


def reproduce(job: Job, run_id: str) -> Reproduced:
    """Train the run again, keep nothing of it, and measure it on the rows that were held out from it.

    Raises
    ------
    ConfigurationError : there is no such run, or it was never measured
    DataError : its rows, or the run it went on from, are gone
    """
    run = runs.find(job.tables, run_id=run_id)
    recorded, folder = _recorded(job, run), networks_folder(job)
    made_in = "" if folder is None else str(folder / f"again-{run.run_id}")
    try:
        model = _trained_again(job, run, made_in)
        interactions = job.tables.read("silver_interactions", version=run.interactions_version)
        with job.step("measure again"), evaluation.hold_out(interactions, job.settings.evaluate) as held_out:
            again = {row["metric"]: row["value"] for row in evaluation.evaluate(model, held_out, job.settings.scale)}
    finally:
        if made_in:
            shutil.rmtree(made_in, ignore_errors=True)
    rows = [(name, value, again[name]) for name, value in sorted(recorded.items()) if again.get(name) is not None]
    import pandas as pd

    table = pd.DataFrame(rows, columns=["metric", "recorded", "again"])
    table["difference"] = (table["again"] - table["recorded"]) / table["recorded"].abs().clip(lower=1e-12)
    by_other = run.code_version != __version__
    return Reproduced(
        run, table, [f"trained by version {run.code_version}, again by {__version__}"] if by_other else []
    )


def _recorded(job: Job, run: runs.Run) -> dict[str, float]:
    split = job.settings.evaluate.split
    of_run = (F.col("run_id") == F.lit(run.run_id)) & (F.col("split") == F.lit(split))
    measured = job.tables.read("gold_metrics").where(f"NOT {EPOCH_METRICS} AND value IS NOT NULL").where(of_run)
    found = {row["metric"]: row["value"] for row in measured.collect()}
    if not found:
        raise ConfigurationError(f"run {run.run_id}: was not measured on split {split}: nothing to compare with")
    return found


def _trained_again(job: Job, run: runs.Run, folder: str) -> models.TrainedModel:
    params = HYPERPARAMETERS[run.model].model_validate_json(json.dumps(run.params))
    settings = job.settings.model_copy(update={"models": {**job.settings.models, run.model: params}})
    algorithm: models.Algorithm[Any] = models.create(run.model, settings)

    def load(run_id: str) -> models.TrainedModel:
        return runs.load(job.tables, runs.find(job.tables, run_id=run_id))

    earlier = run.header.get("earlier")
    try:
        ratings, context = rows_and_context(job, run.interactions_version)
        context = replace(
            context,
            folder=folder,
            trained=lambda name: load(run.header["members"][name]),
            earlier=load(earlier) if earlier else None,
        )
        with job.step(f"train {run.model} again"):
            return algorithm.fit(ratings, seed=run.seed, context=context)
    except ConfigurationError as error:
        raise DataError(f"run {run.run_id}: what it was trained from is gone: {error}") from None
