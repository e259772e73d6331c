"""The id of a prepare: the silver tables are several commits, valid only if all come from the same prepare."""

from __future__ import annotations

from typing import Any

from nightreel import __version__, sources
from nightreel.errors import TableError
from nightreel.prepare import Known
from nightreel.settings import Settings, SplitSettings
from nightreel.tables.tables import Tables, digest

SILVER = (
    "silver_interactions",
    "silver_users",
    "silver_items",
    "silver_match_rates",
    "silver_item_text",
    "silver_vocabulary",
)
INDEX = ("silver_user_index", "silver_item_index")
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
    """The id of a prepare of the current bronze tables: equal ids mean equal rows and indices.

    After the dots stand the id of the index tables, which only grow, so that users and items keep their index, and a
    digest of how rows are split.
    """
    bronze = {table: tables.state(table) for table in BRONZE_READ}
    rest = {"code": __version__, "settings": prepare_settings(settings), "bronze": bronze}
    known = tables.stamp(INDEX[0]) if all(map(tables.exists, INDEX)) else None
    return f"{digest(rest)}.{known or digest(rest)[:8]}.{digest(settings.split.model_dump())[:4]}"


def index_id(prepare_id: str) -> str:
    """The id of the index tables that a prepare numbered users and items by."""
    return prepare_id.split(".")[1]


def may_go_on(earlier: str, now: str, split: SplitSettings) -> bool:
    """Whether vectors of the earlier prepare hold in this one, and have learnt nothing of its held-out rows.

    With the same indices, and a split by which a row that once trained is never held out: by the rows' own hashes or
    pairs, or, where what comes is newer than what is there, the latest rows. A number or a share of each user's rows
    takes in others as rows come.
    """
    by_count = split.strategy == "per_user" or (
        split.strategy == "random" and (split.test_rows or split.validation_rows)
    )
    return not by_count and earlier.split(".")[1:] == now.split(".")[1:]


def known_indices(tables: Tables) -> Known | None:
    """The index tables; None where there are none yet, or one of two was never written: both are made anew."""
    return Known(*map(tables.read, INDEX)) if all(map(tables.exists, INDEX)) else None


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
