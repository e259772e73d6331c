"""The id of a prepare: the silver tables are several commits, valid only if all come from the same prepare."""

from __future__ import annotations

from typing import Any

from nightreel import __version__, sources
from nightreel.errors import TableError
from nightreel.settings import Settings
from nightreel.tables.tables import Tables, digest

SILVER = (
    "silver_interactions",
    "silver_users",
    "silver_items",
    "silver_match_rates",
    "silver_item_text",
    "silver_vocabulary",
)
_STAMPED = SILVER[:3]
"""Their stamps are compared: prepare writes silver_users first and silver_interactions last. Another table may keep an
earlier stamp, because replacing an empty table by an empty one makes no commit."""
BRONZE_READ = ("bronze_ratings", "bronze_items", "bronze_metadata")


def prepare_settings(settings: Settings) -> list[Any]:
    """The settings that a prepare depends on, and the size and time of the file of pairs to test, if there is one."""
    held_out = sources.held_out_file(settings)
    sections = (settings.filter, settings.split, settings.text, settings.metadata)
    return [*(section.model_dump() for section in sections), held_out and [held_out.size, held_out.modified_at]]


def new_prepare_id(tables: Tables, settings: Settings) -> str:
    """The id of a prepare of the current bronze tables: equal ids mean equal rows and indices."""
    bronze = {table: tables.state(table) for table in BRONZE_READ}
    return digest({"code": __version__, "settings": prepare_settings(settings), "bronze": bronze})


def current_prepare_id(tables: Tables) -> str:
    """The id of the prepare that all silver tables come from; the tables are read at these versions from here on.

    Raises TableError where one is missing, or they come from different prepares, as after an interrupted one.
    """
    tables.pin(*SILVER)
    for table in SILVER:
        tables.read(table)
    ids = {table: tables.stamp(table) or "none" for table in _STAMPED}
    if len(set(ids.values())) > 1:
        found = ", ".join(f"{table} {prepare_id}" for table, prepare_id in ids.items())
        raise TableError(f"the silver tables come from different prepares ({found}): run prepare again")
    if changed := tables.changed_since_pinned(*SILVER):
        raise TableError(f"{tables.name(changed[0])}: prepare is writing it; run this job again when it has ended")
    return ids["silver_interactions"]
