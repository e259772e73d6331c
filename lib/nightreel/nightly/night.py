"""A whole night: the steps in order, those already done for the date left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nightreel.job.job import Job, Summary
from nightreel.models import runs
from nightreel.nightly import steps, training
from nightreel.nightly.ledger import Ledger, fingerprint
from nightreel.nightly.silver import BRONZE_READ, SILVER, prepare_settings
from nightreel.settings import Settings


@dataclass(frozen=True)
class Step:
    """A step of the night and what its result depends on."""

    name: str
    run: Callable[[Job], Summary]
    settings: Callable[[Settings], Any]
    reads: tuple[str, ...]
    owns: tuple[str, ...] = ()
    """The step is done only while these tables are as it left them."""
    resumes_itself: bool = False
    """Asked every time: it leaves out by itself what is done."""


def run_night(job: Job) -> Summary:
    """ingest -> prepare -> train -> evaluate -> recommend, resuming what the same run date has done already.

    ingest and train look for themselves at what is new and are always asked; the other steps are left out when
    the ledger has them with the same settings, the same inputs and their tables as they left them.
    """
    ledger = Ledger(job.tables, job.run_date)
    summaries = [steps.ingest(job)]
    chain = ""
    for step in STEPS:
        chain = _fingerprint(step, job, chain)
        done = None if job.flags.again or step.resumes_itself else ledger.finished(step.name, chain)
        if done is None:
            done = step.run(job)
            outputs = {table: job.tables.state(table) for table in step.owns}
            ledger.record(step.name, chain, outputs=outputs, summary=done)
        else:
            job.skip(step.name, "already done for this date")
        summaries.append(done)
    return _together(summaries)


def trained_models(settings: Settings) -> list[str]:
    """The night's models, the one that recommends among them."""
    return list(dict.fromkeys([*settings.nightly.models, settings.recommend.model]))


def _train(job: Job) -> Summary:
    return training.train(job, trained_models(job.settings), resume=not job.flags.again)


def _evaluate(job: Job) -> Summary:
    return steps.evaluate(job, [_tonights(job, name) for name in trained_models(job.settings)])


def _recommend(job: Job) -> Summary:
    return steps.recommend(job, _tonights(job, job.settings.recommend.model))


def _tonights(job: Job, model: str) -> runs.Run:
    """The run this night trained, whatever other nights and settings have trained since."""
    return steps.chosen_run(job, run_id=training.planned_run_id(job, model))


STEPS = (
    Step(
        "prepare",
        steps.prepare,
        settings=prepare_settings,
        reads=BRONZE_READ,
        owns=SILVER,
    ),
    Step(
        "train",
        _train,
        settings=lambda s: [s.train.model_dump(), {name: s.models[name].model_dump() for name in trained_models(s)}],
        reads=SILVER,
        resumes_itself=True,
    ),
    Step(
        "evaluate",
        _evaluate,
        settings=lambda s: [s.evaluate.model_dump(), s.scale.model_dump()],
        reads=SILVER,
        owns=("gold_metrics",),
    ),
    Step(
        "recommend",
        _recommend,
        settings=lambda s: s.recommend.model_dump(),
        reads=SILVER,
        owns=("gold_recommendations",),
    ),
)


def _fingerprint(step: Step, job: Job, earlier: str) -> str:
    states = {table: job.tables.state(table) for table in step.reads}
    return fingerprint(step=step.name, settings=step.settings(job.settings), states=states, earlier=earlier)


def _together(summaries: list[Summary]) -> Summary:
    rows = {label: count for summary in summaries for label, count in summary.rows.items()}
    rejects = {reason: count for summary in summaries for reason, count in summary.rejects.items()}
    tables = list(dict.fromkeys(table for summary in summaries for table in summary.tables))
    notes = [note for summary in summaries for note in summary.notes]
    return Summary(rows=rows, rejects=rejects, tables=tables, notes=notes)
