"""The tables: their schemas, the one reader and writer, commits and readings without Spark."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from nightreel.tables.delta_rs import TableFile
from nightreel.tables.schemas import EPOCH_METRICS, SCHEMAS
from nightreel.tables.sql import sql_text

if TYPE_CHECKING:
    from nightreel.tables.tables import Tables as Tables
    from nightreel.tables.tables import digest as digest

__all__ = ["EPOCH_METRICS", "SCHEMAS", "TableFile", "Tables", "digest", "sql_text"]


def __getattr__(name: str) -> Any:
    """Load what needs Spark when it is asked for: whoever answers from the tables needs none."""
    if name in ("Tables", "digest"):
        return getattr(importlib.import_module(f"{__name__}.tables"), name)
    raise AttributeError(f"module {__name__} has no attribute {name}")
