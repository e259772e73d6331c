"""The champions: which run serves lists and which ratings, and how a night's challengers take over.

gold_champion is the pointer that readers follow: its newest row for a purpose names the run and the date of the lists
that serve. A night writes its lists first and moves the pointer last, in one commit for both purposes, so that lists,
similar items and champion become current together; until then, and if the gate refuses, what served still serves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Literal

from nightreel import evaluate as evaluation
from nightreel.errors import ConfigurationError
from nightreel.evaluate import HeldOut, Paired
from nightreel.evaluate.comparison import lower_is_better
from nightreel.job.job import Job
from nightreel.models import runs
from nightreel.tables import Tables, sql_text

Purpose = Literal["lists", "ratings"]
PURPOSES: Sequence[Purpose] = ("lists", "ratings")


@dataclass(frozen=True)
class Serving:
    """What serves a purpose: a row of gold_champion."""

    run_id: str
    model: str
    run_date: date
    since: date
    night: date


@dataclass(frozen=True)
class Decision:
    """Who serves a purpose from tonight on, and why.

    since : the night from which the model serves
    figures : metrics of the candidates, and the paired difference that decided
    """

    purpose: Purpose
    decision: Literal["first", "takes over", "stays", "named"]
    run_id: str
    model: str
    since: date
    reason: str
    figures: Mapping[str, Any] = field(default_factory=dict)


def serving(tables: Tables, purpose: Purpose) -> Serving | None:
    """What serves now; None where nothing was ever published."""
    if not tables.exists("gold_champion"):
        return None
    rows = sorted(tables.few("gold_champion", purpose=purpose), key=lambda row: row["decided_at"])
    return Serving(**{name: rows[-1][name] for name in Serving.__annotations__}) if rows else None


def metric_of(job: Job, purpose: Purpose) -> str:
    """The metric's name in gold_metrics."""
    gate = job.settings.gate
    return f"{gate.lists}@{evaluation.shown_length(job.settings.evaluate.k)}" if purpose == "lists" else gate.ratings


def decide(
    job: Job, purpose: Purpose, candidates: Sequence[runs.Run], measured: Mapping[str, Mapping[str, float]],
    held_out: HeldOut, named: str | None = None,
) -> Decision | None:  # fmt: skip
    """The champion among tonight's runs; None where none was measured for the purpose.

    The reigning champion competes by its model: trained again tonight, on the rows that its challengers learn from. Its
    old run may have learnt from what is held out tonight.

    Parameters
    ----------
    measured : by run_id, the metrics on tonight's held-out rows
    named : a model that serves whatever the metrics say
    """
    metric = metric_of(job, purpose)
    sign = 1 if lower_is_better(metric) else -1
    values = {run.run_id: measured.get(run.run_id, {}).get(metric) for run in candidates}
    known = [run for run in candidates if values[run.run_id] is not None]
    if not known:
        return None
    ordered = sorted(known, key=lambda run: (sign * (values[run.run_id] or 0.0), run.model))
    best, reigning = ordered[0], serving(job.tables, purpose)
    figures: dict[str, Any] = {"metric": metric, **{run.model: values[run.run_id] for run in ordered}}
    shown = ", ".join(f"{run.model} {values[run.run_id]:.4f}" for run in ordered[:4])
    if named is not None:
        chosen = next((run for run in candidates if run.model == named), None)
        if chosen is None:
            raise ConfigurationError(
                f"recommend.model = {named}: was left out of this night, which is too large for it"
            )
        reason = f"recommend.model names it; {metric}: {shown}"
        return Decision(purpose, "named", chosen.run_id, named, _since(job, reigning, named), reason, figures)
    if reigning is None:
        reason = f"the best {metric}: {shown}"
        return Decision(purpose, "first", best.run_id, best.model, job.run_date, reason, figures)
    defender = next((run for run in known if run.model == reigning.model), None)
    if defender is None:
        reason = f"{reigning.model}, which served, was not trained; the best {metric}: {shown}"
        return Decision(purpose, "takes over", best.run_id, best.model, job.run_date, reason, figures)
    if best.run_id == defender.run_id:
        reason = f"still the best {metric}: {shown}"
        return Decision(purpose, "stays", best.run_id, best.model, reigning.since, reason, figures)
    paired, margin = _paired(job, purpose, best, defender, held_out), job.settings.gate.margin
    figures |= {"better_by": paired.better_by, "error": paired.error, "users": paired.users}
    said = f"{best.model} is better than {defender.model} by {paired.better_by:.4f} ± {paired.error:.4f} a user"
    if paired.better_by > margin * paired.error:
        reason = f"{said}; {metric}: {shown}"
        return Decision(purpose, "takes over", best.run_id, best.model, job.run_date, reason, figures)
    reason = f"{said}, not by {margin:g} standard errors; {metric}: {shown}"
    return Decision(purpose, "stays", defender.run_id, defender.model, reigning.since, reason, figures)


def _since(job: Job, reigning: Serving | None, model: str) -> date:
    return reigning.since if reigning is not None and reigning.model == model else job.run_date


def _paired(job: Job, purpose: Purpose, best: runs.Run, defender: runs.Run, held_out: HeldOut) -> Paired:
    one, other = (runs.load(job.tables, run) for run in (best, defender))
    gate = job.settings.gate
    if purpose == "ratings":
        return evaluation.paired_errors(one, other, held_out, job.settings.scale, metric=gate.ratings)
    k = evaluation.shown_length(job.settings.evaluate.k)
    return evaluation.paired_lists(one, other, held_out, metric=gate.lists, k=k)


def publish(job: Job, decisions: Sequence[Decision]) -> None:
    """Let the runs serve, in one commit; their lists of tonight are written before."""
    now = datetime.now(UTC)
    rows = [
        {
            "decision_id": f"{job.run_date}-{one.purpose}",
            "purpose": one.purpose,
            "decision": one.decision,
            "run_id": one.run_id,
            "model": one.model,
            "run_date": job.run_date,
            "since": one.since,
            "night": job.run_date,
            "reason": one.reason,
            "figures": json.dumps(dict(one.figures)),
            "decided_at": now,
        }
        for one in decisions
    ]
    _put(job.tables, rows)


def is_published(job: Job, decisions: Sequence[Decision]) -> bool:
    """Whether these decisions of tonight are in gold_champion, also where a later one has taken them back."""
    if not job.tables.exists("gold_champion"):
        return False
    known = {(row["decision_id"], row["run_id"]) for row in job.tables.few("gold_champion", night=job.run_date)}
    return all((f"{job.run_date}-{one.purpose}", one.run_id) in known for one in decisions)


def keep_refusal(job: Job, reason: str) -> None:
    """Record that tonight's result does not serve: the rows name what still does, so that the pointer stays."""
    now, rows = datetime.now(UTC), []
    for purpose in PURPOSES:
        reigning = serving(job.tables, purpose)
        if reigning is None or reigning.night > job.run_date:
            continue
        rows.append(
            vars(reigning)
            | {
                "decision_id": f"{job.run_date}-{purpose}-refused",
                "purpose": purpose,
                "decision": "refused",
                "night": job.run_date,
                "reason": reason,
                "figures": "{}",
                "decided_at": now,
            }
        )
    if rows:
        _put(job.tables, rows)


def _put(tables: Tables, rows: Sequence[Mapping[str, Any]]) -> None:
    ids = ", ".join(sql_text(row["decision_id"]) for row in rows)
    tables.put("gold_champion", rows, f"decision_id IN ({ids})")
