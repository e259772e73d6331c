"""A row of gold_runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

FINISHED = "finished"


@dataclass(frozen=True)
class Run:
    """A row of gold_runs; its times are UTC."""

    run_id: str
    run_date: date
    model: str
    params: Mapping[str, Any]
    seed: int
    interactions_version: int
    prepare_id: str
    """The stamp of the silver tables it was trained on: only with them do its indices mean anything."""
    code_version: str
    started_at: datetime
    finished_at: datetime
    status: str
    form: str
    header: Mapping[str, Any]

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Run:
        """The row as the table has it: params and header as JSON."""
        return cls(**{**row, **{name: json.loads(row[name]) for name in ("params", "header")}})
