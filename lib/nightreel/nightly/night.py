"""A whole night: the steps in order, without those already done for the same date."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

from pyspark.sql import functions as F

from nightreel import __version__, models
from nightreel import evaluate as evaluation
from nightreel.errors import ConfigurationError
from nightreel.job.job import Job, Summary
from nightreel.models import runs
from nightreel.nightly import champion, gate, steps, training
from nightreel.nightly.silver import BRONZE_READ, SILVER, prepare_settings
from nightreel.nightly.steps import AUTO
from nightreel.settings import Settings
from nightreel.tables.keeping import clean
from nightreel.tables.snapshot import Snapshot
from nightreel.tables.tables import digest


class Step(NamedTuple):
    """A step of the night and what its result depends on."""

    name: str
    run: Callable[[Job], Summary]
    settings: Callable[[Settings], Any]
    reads: tuple[str, ...]
    owns: tuple[str, ...] = ()
    """The step is done while these tables are as it left them. One without any always runs, and skips what is done."""


def run_night(job: Job) -> Summary:
    """Run all steps in order, without what the run date has done already.

    ingest and train find by themselves what is new and always run; another step is skipped if the ledger has it with
    the same version of nightreel, the same settings, the same inputs and its tables as it left them.

    Returns the notes of all steps; NightReport has the counts.
    """
    ledger = {} if job.flags.again else _ledger(job)
    notes = [*steps.ingest(job).notes]
    fingerprint = ""
    for step in STEPS:
        states = {table: job.tables.state(table) for table in step.reads}
        fingerprint = digest([__version__, step.name, step.settings(job.settings), states, fingerprint])
        entry = ledger.get((step.name, fingerprint))
        if entry and step.owns and json.loads(entry["outputs"]) == _outputs(step, job):
            job.skip(step.name)
            done = Summary(**json.loads(entry["summary"]))
        else:
            started = time.monotonic()
            done = replace(step.run(job), seconds=round(time.monotonic() - started, 2))
            _record(step, job, fingerprint, done)
        notes += done.notes
    return Summary(notes=notes)


def trained_models(settings: Settings) -> list[str]:
    """The night's models, including the one that recommends."""
    chosen = settings.recommend.model
    return list(dict.fromkeys([*settings.nightly.models, *([] if chosen == AUTO else [chosen])]))


def check_models(settings: Settings) -> None:
    """Raise ConfigurationError for a model that cannot be trained here, or a blend without its members."""
    names = trained_models(settings)
    models.check(names, settings)
    for name in names:
        missing = [member for member in models.members(name, settings) if member not in names]
        if missing:
            raise ConfigurationError(f"model {name}: needs {', '.join(missing)} in nightly.models too")


def _names(job: Job) -> list[str]:
    """The night's models and those that serve, with the members of blends: a champion competes every night."""
    reigning = [champion.serving(job.tables, purpose) for purpose in champion.PURPOSES]
    served = [one.model for one in reigning if one is not None and one.model in job.settings.models]
    members = [name for model in served for name in models.members(model, job.settings)]
    return list(dict.fromkeys([*trained_models(job.settings), *members, *served]))


def _train(job: Job) -> Summary:
    fit, left_out = training.fitting(job, _names(job))
    done = training.train(job, fit, resume=not job.flags.again)
    return replace(done, notes=[*left_out, *done.notes])


def _evaluate(job: Job) -> Summary:
    fit, _ = training.fitting(job, _names(job))
    return steps.evaluate(job, [_run_of_night(job, name) for name in fit])


def _decide(job: Job) -> Summary:
    """Who would serve from tonight on, and whether the gate lets tonight's result pass."""
    fit, _ = training.fitting(job, _names(job))
    by_model = {name: training.planned_run_id(job, name) for name in fit}
    candidates = [_run_of_night(job, name) for name in fit]
    on_split = (F.col("split") == job.settings.evaluate.split) & F.col("run_id").isin(*by_model.values())
    measured: dict[str, dict[str, float]] = {}
    for row in job.tables.read("gold_metrics").where(on_split & F.col("value").isNotNull()).collect():
        measured.setdefault(row["run_id"], {})[row["metric"]] = row["value"]
    named = None if job.settings.recommend.model == AUTO else job.settings.recommend.model
    interactions = job.tables.read("silver_interactions")
    with job.step("decide"), evaluation.hold_out(interactions, job.settings.evaluate) as held_out:
        decisions = [
            decision
            for purpose in champion.PURPOSES
            if (decision := champion.decide(
                job, purpose, candidates, measured, held_out, named if purpose == "lists" else None
            ))
        ]  # fmt: skip
        checks = [*gate.data_checks(job), *gate.model_checks(job, decisions, measured, by_model, held_out)]
    notes = gate.record(job, checks)
    gate.keep_decisions(job, decisions)
    return Summary(tables=("gold_gate",), notes=notes)


def _recommend(job: Job) -> Summary:
    return steps.recommend(job, steps.chosen_run(job, run_id=_lists_of_night(job).run_id))


def _lists_of_night(job: Job) -> champion.Decision:
    decision = gate.decided(job).get("lists")
    if decision is None:
        raise ConfigurationError("nightly.models: none of them makes lists that can be measured; add popular or ease")
    return decision


def _publish(job: Job) -> Summary:
    """Let tonight's lists and champions serve, if the lists pass the gate and no newer night serves."""
    decisions, reigning = gate.decided(job), champion.serving(job.tables, "lists")
    if reigning is not None and reigning.night > job.run_date:
        note = f"not published: the night of {reigning.night} serves, which is newer"
        return Summary(notes=[note])
    if champion.is_published(job, list(decisions.values())):
        job.skip("publish")
        return Summary(notes=_said(decisions))
    notes = gate.record(job, gate.list_checks(job, _lists_of_night(job)))
    champion.publish(job, list(decisions.values()))
    return Summary(tables=("gold_champion",), notes=[*notes, *_said(decisions)])


def _clean(job: Job) -> Summary:
    """Remove what is older than configured, where the tables lie on this machine."""
    retention, tables = job.settings.retention, job.settings.tables
    if retention.nights < 0 or not job.tables.is_local:
        return Summary()
    with job.step("clean"):
        kept = clean(
            Snapshot(tables.root, tables.dataset), nights=retention.nights, rollbacks=retention.rollbacks,
            versions_days=retention.versions_days,
        )  # fmt: skip
    removed = f"clean: {kept.removed_runs} runs and {kept.removed_bytes / 1e6:.1f} MB removed"
    return Summary(notes=[removed] if kept.removed_runs or kept.removed_bytes > 0 else [])


def _said(decisions: Mapping[str, champion.Decision]) -> list[str]:
    """A line on who serves each purpose."""
    return [
        f"{purpose} by {one.model}, since {one.since} ({one.decision}): {one.reason}"
        for purpose, one in decisions.items()
    ]


def _run_of_night(job: Job, model: str) -> runs.Run:
    """The run that this night trained, even if other nights or settings have trained newer ones."""
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
        "decide",
        _decide,
        lambda s: [s.gate.model_dump(), s.recommend.model],
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
    Step("publish", _publish, lambda s: s.gate.model_dump(), reads=SILVER),
    Step("clean", _clean, lambda s: s.retention.model_dump(), reads=()),
)


def _ledger(job: Job) -> dict[tuple[str, str], dict[str, Any]]:
    """The entries of gold_steps for the job's date, by step and fingerprint: a digest of all its result depends on."""
    if not job.tables.exists("gold_steps"):
        return {}
    entries = job.tables.few("gold_steps", run_date=job.run_date)
    return {(entry["step"], entry["fingerprint"]): entry for entry in entries}


def _outputs(step: Step, job: Job) -> dict[str, str | None]:
    return {table: job.tables.state(table) for table in step.owns}


def _record(step: Step, job: Job, fingerprint: str, summary: Summary) -> None:
    """Put the step into gold_steps, in place of an earlier entry of the date."""
    row = {
        "run_date": job.run_date,
        "step": step.name,
        "fingerprint": fingerprint,
        "outputs": json.dumps(_outputs(step, job)),
        "summary": json.dumps(asdict(summary)),
        "finished_at": datetime.now(UTC),
    }
    job.tables.put("gold_steps", [row], f"run_date = DATE'{job.run_date}' AND step = '{step.name}'")
