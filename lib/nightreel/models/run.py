"""A row of gold_runs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from nightreel.errors import TableError

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

    @contextmanager
    def being_read(self) -> Iterator[None]:
        """Raise TableError where the header lacks something, as that of another version's run may."""
        try:
            yield
        except KeyError as error:
            by = f"it was trained by version {self.code_version}"
            raise TableError(f"run {self.run_id}: its header has no {error}; {by}: train it again") from None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Run:
        """The row as the table has it: params and header as JSON."""
        return cls(**{**row, **{name: json.loads(row[name]) for name in ("params", "header")}})
