"""One job at a time on a dataset's tables: a lease with an expiry in a table, so that it holds across machines."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from nightreel.errors import TableError
from nightreel.tables import Tables

_LASTS, _RENEWED = timedelta(minutes=5), 60.0
"""How long a lease lasts, and the seconds after which its holder renews it: one that was killed holds it no longer."""


@contextmanager
def lease(tables: Tables, job: str) -> Iterator[None]:
    """Hold the tables until the context ends.

    Raises
    ------
    TableError : another job holds them; a job that was killed on this machine, or whose lease is over, does not
    """
    me = {"holder": f"{socket.gethostname()}:{os.getpid()}", "job": job}
    _take(tables, me)
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(_RENEWED):
            with suppress(Exception):  # the next try may succeed; the lease outlasts several
                _write(tables, me, _LASTS)

    renewing = threading.Thread(target=renew, daemon=True)
    renewing.start()
    try:
        yield
    finally:
        ended.set()
        renewing.join()
        _write(tables, me, timedelta(0))


def _take(tables: Tables, me: dict[str, str]) -> None:
    now = datetime.now(UTC)
    tables.watch("gold_lease")  # of two that look at once, the second one's commit fails
    if tables.exists("gold_lease"):
        for row in tables.few("gold_lease"):
            if row["expires_at"] > now and row["holder"] != me["holder"] and not _is_dead(row["holder"]):
                until = f"{row['expires_at']:%H:%M:%S} UTC"
                who = f"{row['job']} of {row['holder']}"
                raise TableError(
                    f"{tables.name('gold_lease')}: {who} is at work on these tables; wait until it ends "
                    f"(its lease, which it renews, is over at {until})"
                )
    _write(tables, me, _LASTS)


def _write(tables: Tables, me: dict[str, str], lasts: timedelta) -> None:
    row: dict[str, Any] = {**me, "expires_at": datetime.now(UTC) + lasts}
    tables.put("gold_lease", [row], "holder IS NOT NULL")


def _is_dead(holder: str) -> bool:
    """Whether the holder was a process of this machine that is no more."""
    host, _, process = holder.rpartition(":")
    if host != socket.gethostname():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # a living process of somebody else
        pass
    return False
