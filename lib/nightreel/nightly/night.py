"""A whole night: the steps in order, without those already done for the same date."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any

from pyspark.sql import functions as F

from nightreel import __version__
from nightreel.job.job import Job, Summary
from nightreel.models import runs
from nightreel.nightly import steps, training
from nightreel.nightly.silver import BRONZE_READ, SILVER, prepare_settings
from nightreel.settings import Settings
from nightreel.tables.tables import Tables, digest


@dataclass(frozen=True)
class Step:
    """A step of the night and what its result depends on."""

    name: str
    run: Callable[[Job], Summary]
    settings: Callable[[Settings], Any]
    reads: tuple[str, ...]
    owns: tuple[str, ...] = ()
    """The step is done while these tables are as it left them. One without any always runs, and skips what is done."""


def run_night(job: Job) -> Summary:
    """ingest -> prepare -> train -> evaluate -> recommend, resuming what the same run date has done already.

    ingest and train find by themselves what is new and always run; another step is skipped if the ledger has it with
    the same version of nightreel, the same settings, the same inputs and its tables as it left them.

    Returns
    -------
    the notes of all steps; NightReport has the counts
    """
    ledger = Ledger(job.tables, job.run_date)
    notes = [*steps.ingest(job).notes]
    chain = ""
    for step in STEPS:
        chain = _fingerprint(step, job, chain)
        done = ledger.finished(step.name, chain) if step.owns and not job.flags.again else None
        if done is None:
            done = step.run(job)
            outputs = {table: job.tables.state(table) for table in step.owns}
            ledger.record(step.name, chain, outputs=outputs, summary=done)
        else:
            job.skip(step.name)
        notes += done.notes
    return Summary(notes=notes)


def trained_models(settings: Settings) -> list[str]:
    """The night's models, the one that recommends among them."""
    return list(dict.fromkeys([*settings.nightly.models, settings.recommend.model]))


def _train(job: Job) -> Summary:
    return training.train(job, trained_models(job.settings), resume=not job.flags.again)


def _evaluate(job: Job) -> Summary:
    return steps.evaluate(job, [_run_of_night(job, name) for name in trained_models(job.settings)])


def _recommend(job: Job) -> Summary:
    return steps.recommend(job, _run_of_night(job, job.settings.recommend.model))


def _run_of_night(job: Job, model: str) -> runs.Run:
    """The run this night trained, whatever other nights and settings have trained since."""
    return steps.chosen_run(job, run_id=training.planned_run_id(job, model))


STEPS = (
    Step("prepare", steps.prepare, prepare_settings, reads=BRONZE_READ, owns=SILVER),
    Step(
        "train",
        _train,
        lambda s: [s.train.model_dump(), {name: s.models[name].model_dump() for name in trained_models(s)}],
        reads=SILVER,
    ),
    Step(
        "evaluate",
        _evaluate,
        lambda s: [s.evaluate.model_dump(), s.scale.model_dump()],
        reads=SILVER,
        owns=("gold_metrics",),
    ),
    Step(
        "recommend",
        _recommend,
        lambda s: s.recommend.model_dump(),
        reads=SILVER,
        owns=("gold_recommendations", "gold_similar_items"),
    ),
)


def _fingerprint(step: Step, job: Job, earlier: str) -> str:
    """A digest of whatever the step's result depends on."""
    states = {table: job.tables.state(table) for table in step.reads}
    return digest([__version__, step.name, step.settings(job.settings), states, earlier])


class Ledger:
    """The steps done for one run date, kept in gold_steps."""

    def __init__(self, tables: Tables, run_date: date) -> None:
        self._tables = tables
        self._run_date = run_date
        self._done: dict[str, Mapping[str, Any]] = {}
        if tables.exists("gold_steps"):
            rows = tables.read("gold_steps").where(F.col("run_date") == F.lit(run_date)).collect()
            self._done = {row["step"]: row.asDict() for row in rows}

    def finished(self, step: str, fingerprint: str) -> Summary | None:
        """The step's summary, if it ended with this fingerprint and its tables are still as it left them."""
        entry = self._done.get(step)
        if entry is None or entry["fingerprint"] != fingerprint:
            return None
        left = json.loads(entry["outputs"])
        if any(self._tables.state(table) != state for table, state in left.items()):
            return None
        return Summary(**json.loads(entry["summary"]))

    def record(self, step: str, fingerprint: str, *, outputs: Mapping[str, str | None], summary: Summary) -> None:
        """Note the step as done, in place of an earlier entry of the date."""
        row = {
            "run_date": self._run_date,
            "step": step,
            "fingerprint": fingerprint,
            "outputs": json.dumps(dict(outputs)),
            "summary": json.dumps(asdict(summary)),
            "finished_at": datetime.now(UTC),
        }
        self._tables.put("gold_steps", [row], f"run_date = DATE'{self._run_date}' AND step = '{step}'")
