"""What a night has already done: gold_steps, and the fingerprints that tell whether it still holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import Any

from pyspark.sql import functions as F

from nightreel.job.job import Summary
from nightreel.tables.tables import Tables


def fingerprint(**parts: Any) -> str:
    """A digest of whatever a step's result depends on: settings, versions of inputs, earlier fingerprints."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


class Ledger:
    """The steps of one run date."""

    def __init__(self, tables: Tables, run_date: date) -> None:
        self._tables = tables
        self._run_date = run_date
        self._done: dict[str, Mapping[str, Any]] = {}
        if tables.exists("gold_steps"):
            rows = tables.read("gold_steps").where(F.col("run_date") == F.lit(run_date)).collect()
            self._done = {row["step"]: row.asDict() for row in rows}

    def finished(self, step: str, print_: str) -> Summary | None:
        """The step's summary, if it ended with this fingerprint and its tables are still as it left them."""
        entry = self._done.get(step)
        if entry is None or entry["fingerprint"] != print_:
            return None
        left = json.loads(entry["outputs"])
        if any(self._tables.state(table) != state for table, state in left.items()):
            return None
        return Summary(**json.loads(entry["summary"]))

    def record(self, step: str, print_: str, *, outputs: Mapping[str, str | None], summary: Summary) -> None:
        """Write the step down as done, in place of an earlier entry of the same date."""
        row = {
            "run_date": self._run_date,
            "step": step,
            "fingerprint": print_,
            "outputs": json.dumps(dict(outputs)),
            "summary": json.dumps(asdict(summary)),
            "finished_at": datetime.now(UTC),
        }
        self._tables.put("gold_steps", [row], f"run_date = DATE'{self._run_date}' AND step = '{step}'")
        self._done[step] = row
