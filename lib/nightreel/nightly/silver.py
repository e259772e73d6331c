"""The silver tables as one: several commits that count only where they come from the same prepare."""

from __future__ import annotations

from typing import Any

from nightreel import __version__, sources
from nightreel.errors import TableError
from nightreel.nightly.ledger import fingerprint
from nightreel.settings import Settings
from nightreel.tables.tables import Tables

SILVER = (
    "silver_interactions",
    "silver_users",
    "silver_items",
    "silver_match_rates",
    "silver_item_text",
    "silver_vocabulary",
)
_TELLING = SILVER[:3]
"""Those whose stamps tell: prepare writes silver_users first and silver_interactions last. Of the others an empty one
written over an empty one is no commit, and keeps an earlier stamp."""
BRONZE_READ = ("bronze_ratings", "bronze_items", "bronze_metadata")


def prepare_settings(settings: Settings) -> list[Any]:
    """What of the configuration a prepare follows from; of a file that says what tests, its size and time."""
    held_out = sources.held_out_file(settings)
    return [
        settings.filter.model_dump(),
        settings.split.model_dump(),
        settings.text.model_dump(),
        settings.metadata.model_dump(),
        held_out and [held_out.size, held_out.modified_at],
    ]


def prepare_id(tables: Tables, settings: Settings) -> str:
    """The same for the same bronze tables and settings, which give the same rows and indices."""
    bronze = {table: tables.state(table) for table in BRONZE_READ}
    return fingerprint(code=__version__, settings=prepare_settings(settings), bronze=bronze)


def current_prepare(tables: Tables) -> str:
    """The prepare that all the tables come from.

    Raises
    ------
    TableError : one of them is missing, or they come from different ones, as after a prepare that was cut off
    """
    for table in SILVER:
        tables.read(table)
    stamps = {table: tables.stamp(table) or "none" for table in _TELLING}
    if len(set(stamps.values())) > 1:
        told = ", ".join(f"{table} {stamp}" for table, stamp in stamps.items())
        raise TableError(f"the silver tables come from different prepares ({told}): run prepare again")
    return stamps["silver_interactions"]
