"""The gate: what a night has to reach before its result serves. Each check is a row of gold_gate."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from pyspark.sql import functions as F

from nightreel.errors import GateRefusedError
from nightreel.evaluate import HeldOut
from nightreel.job.job import Job
from nightreel.nightly.champion import Decision, keep_refusal, metric_of
from nightreel.tables import sql_text

_ROWS = "share of the last night's rows"
_CHAMPIONS = "champions"


class Check(NamedTuple):
    """A check: its value, the limit it is held against, and what to do where it fails."""

    name: str
    value: float
    limit: float
    passed: bool
    advice: str = ""
    figures: Mapping[str, Any] = {}

    @property
    def said(self) -> str:
        return f"{self.name} {self.value:.4g} (limit {self.limit:.4g}): {'passed' if self.passed else 'refused'}"


def data_checks(job: Job) -> list[Check]:
    """Tonight's rows against the last accepted night's: how many, how distributed, how many rejected."""
    gate, tables = job.settings.gate, job.tables
    by_value: dict[float, int] = dict(tables.read("silver_interactions").groupBy("rating").count().collect())
    rows = sum(by_value.values())
    before = _last_accepted(job)
    figures: dict[str, Any] = {
        "rows": rows,
        "shares": {f"{value:g}": count / rows for value, count in sorted(by_value.items())},
    }
    share = rows / before["rows"] if before else 1.0
    checks = [
        Check(
            _ROWS, share, gate.min_rows_share, share >= gate.min_rows_share,
            "are files missing? else lower gate.min_rows_share for this night", figures,
        )
    ]  # fmt: skip
    if before and job.settings.data.source != "events":
        values = set(before["shares"]) | set(figures["shares"])
        shift = sum(abs(before["shares"].get(one, 0.0) - figures["shares"].get(one, 0.0)) for one in values) / 2
        advice = "look at the ratings by value (nightreel report); raise gate.max_shift if they are right"
        checks.append(
            Check("shift of the ratings' distribution", shift, gate.max_shift, shift <= gate.max_shift, advice)
        )
    if tables.exists("bronze_files"):
        read = tables.read("bronze_files").where("kind = 'ratings'")
        kept, rejected = read.agg(F.sum("rows"), F.sum("rejected")).collect()[0]
        lost = (rejected or 0) / max((kept or 0) + (rejected or 0), 1)
        advice = "bronze_quarantine has the lines"
        checks.append(
            Check("share of rejected lines", lost, gate.max_reject_share, lost <= gate.max_reject_share, advice)
        )
    return checks


def _last_accepted(job: Job) -> dict[str, Any] | None:
    """The figures of the newest earlier night whose checks all passed."""
    if not job.tables.exists("gold_gate"):
        return None
    earlier = [row for row in job.tables.few("gold_gate") if row["run_date"] < job.run_date]
    refused = {row["run_date"] for row in earlier if not row["passed"]}
    accepted = {row["run_date"]: row["figures"] for row in earlier if row["name"] == _ROWS}
    nights = sorted(accepted.keys() - refused)
    return json.loads(accepted[nights[-1]]) if nights else None


def model_checks(
    job: Job, decisions: Sequence[Decision], measured: Mapping[str, Mapping[str, float]],
    by_model: Mapping[str, str], held_out: HeldOut,
) -> list[Check]:  # fmt: skip
    """The chosen runs against the simplest models, and their numbers.

    Parameters
    ----------
    measured : by run_id, the metrics on the held-out rows
    by_model : tonight's run_id of each model
    """
    gate, checks = job.settings.gate, list[Check]()
    for decision in decisions:
        found = measured[decision.run_id]
        if decision.purpose == "ratings" and "rmse" in found:
            of_mean = held_out.rows.agg(F.stddev_pop("rating")).collect()[0][0] or 0.0
            gain = 1 - found["rmse"] / of_mean if of_mean else 0.0
            advice = "do the ratings tell anything? (nightreel report)"
            checks.append(
                Check("RMSE below the mean rating's, share", gain, gate.min_gain, gain >= gate.min_gain, advice)
            )
            cold = found.get("cold_rows", 0.0) / max(held_out.rows.count(), 1)
            advice = "held-out users or items are unknown to the training rows: look at [split] and [filter]"
            checks.append(Check("share of cold rows", cold, gate.max_cold_share, cold <= gate.max_cold_share, advice))
        metric = metric_of(job, decision.purpose)
        popular = measured.get(by_model.get("popular", ""), {}).get(metric)
        if decision.purpose == "lists" and popular is not None and metric in found:
            value = found[metric]
            advice = 'recommend.model = "popular" serves the better lists'
            checks.append(Check(f"{metric}, at least that of popular", value, popular, value >= popular, advice))
        broken = _not_finite(job, decision.run_id)
        checks.append(
            Check(f"numbers of {decision.model} that are not finite", broken, 0, not broken, "train it again")
        )
    return checks


def _not_finite(job: Job, run_id: str) -> int:
    """Biases and factors of the run that are NaN or infinite."""
    total = 0
    for table in ("gold_user_factors", "gold_item_factors"):
        rows = job.tables.read(table).where(F.col("run_id") == F.lit(run_id))
        wrong = F.exists("factors", lambda one: F.isnan(one) | (F.abs(one) == float("inf")))
        bias = F.isnan("bias") | (F.abs("bias") == float("inf"))
        total += rows.where(wrong | bias).count()
    return total


def list_checks(job: Job, decision: Decision) -> list[Check]:
    """The lists of tonight as they are written: how many items they show, how often the same, finite scores."""
    gate = job.settings.gate
    of_night = (F.col("run_id") == F.lit(decision.run_id)) & (F.col("run_date") == F.lit(job.run_date))
    lists = job.tables.read("gold_recommendations").where(of_night)
    users, shown = lists.agg(F.count_distinct("user_id"), F.count_distinct("item_id")).collect()[0]
    most = lists.groupBy("item_id").count().agg(F.max("count")).collect()[0][0] or 0
    coverage, share = shown / max(job.tables.read("silver_items").count(), 1), most / max(users, 1)
    wrong = lists.where(F.isnan("score") | (F.abs("score") == float("inf"))).count()
    collapsed = "the lists show too few items: look at the model's hyperparameters"
    return [
        Check("share of the items that lists show", coverage, gate.min_catalogue_coverage,
              coverage >= gate.min_catalogue_coverage, collapsed),
        Check("share of users who see the same item", share, gate.max_item_share,
              share <= gate.max_item_share, collapsed),
        Check("scores that are not finite", wrong, 0, not wrong, "train the model again"),
    ]  # fmt: skip


def record(job: Job, checks: Sequence[Check]) -> list[str]:
    """Keep the checks in gold_gate; returns a line for each.

    Raises
    ------
    GateRefusedError : one of them failed, and gate.enforce holds; what served still serves
    """
    rows = [
        {
            "run_date": job.run_date,
            "name": check.name,
            "value": float(check.value),
            "threshold": float(check.limit),
            "passed": check.passed,
            "said": check.said,
            "figures": json.dumps(dict(check.figures)) if check.figures else None,
            "decided_at": datetime.now(UTC),
        }
        for check in checks
    ]
    names = ", ".join(sql_text(check.name) for check in checks)
    job.tables.put("gold_gate", rows, f"run_date = DATE'{job.run_date}' AND name IN ({names})")
    failed = [check for check in checks if not check.passed]
    if failed and job.settings.gate.enforce:
        why = "; ".join(f"{check.said}, {check.advice}" for check in failed)
        keep_refusal(job, why)
        raise GateRefusedError(f"the gate refused the night of {job.run_date}; what served still serves: {why}")
    return [f"gate: {check.said}" for check in checks]


def keep_decisions(job: Job, decisions: Sequence[Decision]) -> None:
    """Keep who serves if the night is published, for the steps after this one."""
    found = [{**vars(one), "since": one.since.isoformat(), "figures": dict(one.figures)} for one in decisions]
    record(job, [Check(_CHAMPIONS, len(decisions), 1, passed=True, figures={"decisions": found})])


def decided(job: Job) -> dict[str, Decision]:
    """By purpose, what the night has decided."""
    tonight = job.tables.read("gold_gate").where(
        (F.col("run_date") == F.lit(job.run_date)) & (F.col("name") == _CHAMPIONS)
    )
    rows = tonight.select("figures").collect()
    found = json.loads(rows[0][0])["decisions"] if rows else []
    return {one["purpose"]: Decision(**{**one, "since": date.fromisoformat(one["since"])}) for one in found}
