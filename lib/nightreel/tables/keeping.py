"""Local Delta tables kept small without Spark: rows deleted, small files joined, files of old versions removed."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from deltalake import DeltaTable

from nightreel.errors import ConfigurationError
from nightreel.tables.delta_rs import commit_rows, schema_json
from nightreel.tables.schemas import LOG_RETENTION, SCHEMAS
from nightreel.tables.snapshot import Snapshot
from nightreel.tables.sql import sql_text

_OF_RUN = ("gold_user_factors", "gold_item_factors", "gold_neighbours", "gold_predictions")
_OF_LISTS = ("gold_recommendations", "gold_similar_items")
_HOURS_A_DAY = 24
_COMPACTED_FROM = 8
"""Files of a table from which small ones are joined."""


class Kept(NamedTuple):
    """What a cleaning left: runs that stay, runs and bytes that went."""

    runs: int
    removed_runs: int
    removed_bytes: int


def put_rows(snapshot: Snapshot, table: str, rows: Sequence[Mapping[str, Any]], condition: str) -> None:
    """Rows in the place of those that meet the condition, in one commit, as Tables.put; of a local table."""
    schema = SCHEMAS[table]
    commit_rows(
        snapshot.path(table), rows, schema=schema_json(schema.columns), condition=condition,
        partitions=schema.partitions, properties=schema.properties, version=None,
    )  # fmt: skip


def rollback(snapshot: Snapshot, *, to: str | None = None, purpose: str = "lists") -> Mapping[str, Any]:
    """Let an earlier run serve again; returns the row of gold_champion that says so.

    Parameters
    ----------
    to : a run that served; None: the one that served before the one that serves

    Raises
    ------
    ConfigurationError : there is none, or its lists are gone
    """
    where = f"purpose = {sql_text(purpose)}"
    served = snapshot.dicts("gold_champion", where=where, order="decided_at DESC")
    if not served:
        raise ConfigurationError(f"nothing serves {purpose} yet: the nightly job publishes")
    now = served[0]
    earlier = {
        (row["run_id"], row["run_date"]): row
        for row in reversed(served)
        if (row["run_id"], row["run_date"]) != (now["run_id"], now["run_date"])
    }
    if purpose == "lists":
        there = snapshot.dicts("gold_recommendations", ("DISTINCT run_id", "run_date"))
        kept = {(row["run_id"], row["run_date"]) for row in there}
        earlier = {key: row for key, row in earlier.items() if key in kept}
    fitting = [row for row in earlier.values() if to in (None, row["run_id"])]
    if not fitting:
        said = ", ".join(dict.fromkeys(row["run_id"] for row in earlier.values())) or "none"
        wanted = "an earlier run" if to is None else f"run {to}"
        raise ConfigurationError(f"{wanted}: does not serve {purpose} and has no lists that did; there are: {said}")
    chosen, decided_at = max(fitting, key=lambda row: row["decided_at"]), datetime.now(UTC)
    row: dict[str, Any] = chosen | {
        "decision_id": f"{decided_at.isoformat()}-{purpose}",
        "decision": "rolled back",
        "night": now["night"],
        "reason": f"from {now['run_id']} by hand",
        "figures": "{}",
        "decided_at": decided_at,
    }
    put_rows(snapshot, "gold_champion", [row], f"decision_id = {sql_text(row['decision_id'])}")
    return row


def clean(snapshot: Snapshot, *, nights: int, rollbacks: int, versions_days: float) -> Kept:
    """Remove what is older than `nights` nights, but never what serves, what a rollback may want, or the newest night.

    Below 0 nights no run is removed.

    Runs go with their factors, neighbours, predictions and weights; lists with their date; quarantined lines stay as
    long as their file is known. Metrics, decisions and the ledger are small and stay. What killed jobs left of Parquet
    files and of Spark's checkpoints goes too.

    Parameters
    ----------
    rollbacks : published runs, the newest, that stay whatever their age
    versions_days : days that the log and the files of older versions of a table stay; a reader of one needs them
    """
    before = _bytes(Path(snapshot.root) / snapshot.dataset)
    runs = snapshot.dicts("gold_runs", ("run_id", "run_date", "header")) if snapshot.exists("gold_runs") else []
    newest = max((row["run_date"] for row in runs), default=date.max)
    cutoff = newest - timedelta(days=nights)
    served = snapshot.dicts("gold_champion", order="decided_at DESC") if snapshot.exists("gold_champion") else []
    published = list(dict.fromkeys(row["run_id"] for row in served))
    serving = {row["purpose"]: row["run_id"] for row in reversed(served)}.values()  # the newest of each purpose
    young = [row for row in runs if nights < 0 or row["run_date"] > cutoff or row["run_date"] == newest]
    kept = {row["run_id"] for row in young}
    kept |= {*serving, *published[: rollbacks + 1]}
    kept |= {member for row in runs if row["run_id"] in kept for member in _members(row["header"])}
    gone = {row["run_id"] for row in runs} - kept
    for table in (*_OF_RUN, *_OF_LISTS, "gold_runs"):
        if gone and snapshot.exists(table):
            DeltaTable(snapshot.path(table)).delete(f"run_id IN ({', '.join(map(sql_text, sorted(gone)))})")
    _remove_networks(Path(snapshot.root) / snapshot.dataset / "networks", gone)
    _remove_checkpoints(Path(snapshot.root) / ".checkpoints")
    for table in snapshot.tables:
        opened = DeltaTable(snapshot.path(table))
        if len(opened.file_uris()) >= _COMPACTED_FROM and table.startswith("gold_"):
            opened.optimize.compact()
        hours = int(versions_days * _HOURS_A_DAY)
        if opened.metadata().configuration.get(LOG_RETENTION) != f"interval {hours} hours":
            opened.alter.set_table_properties({LOG_RETENTION: f"interval {hours} hours"})
        opened.vacuum(retention_hours=hours, dry_run=False, enforce_retention_duration=False)
        opened.create_checkpoint()
        opened.cleanup_metadata()
        _remove_checksums(Path(snapshot.path(table)))
    after = _bytes(Path(snapshot.root) / snapshot.dataset)
    return Kept(len(kept), len(gone), before - after)


def _members(header: str) -> Collection[str]:
    return json.loads(header).get("members", {}).values()  # type: ignore[no-any-return]


def _remove_networks(folder: Path, gone: Collection[str]) -> None:
    for run_id in gone:
        shutil.rmtree(folder / run_id, ignore_errors=True)


def _remove_checksums(table: Path) -> None:
    """Those that Hadoop (.<file>.crc) and Delta (<version>.crc) have written of files that are no more."""
    for checksum in sorted(table.rglob("*.crc"), key=lambda file: file.name.startswith(".")):
        of = checksum.name.removesuffix(".crc")
        file = of.removeprefix(".") if of.startswith(".") else f"{of}.json"
        if not (checksum.parent / file).exists():
            checksum.unlink()


def _remove_checkpoints(folder: Path) -> None:
    """What jobs that were killed have left of Spark's checkpoints; a running job's are younger than a day."""
    for left in folder.glob("*"):
        if time.time() - left.stat().st_mtime > _HOURS_A_DAY * 3600:
            shutil.rmtree(left, ignore_errors=True)


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
