"""What a feed holds at a time, and what `auto` makes of the memory that is free."""

from __future__ import annotations

import threading
from collections import namedtuple
from pathlib import Path

import pytest
from tests.neural.feed_snapshots import feeds, write_snapshot

from nightreel.errors import DataError
from nightreel.neural.feed import chunks, feed
from nightreel.neural.feed.chunks import BYTES_A_ROW
from nightreel.neural.feed.petastorm import read

GROUPS, GROUP_ROWS = 60, 500


class Held:
    """Rows read that the training step has not had yet, and how many they were at most."""

    def __init__(self):
        self.now = self.peak = 0
        self._lock = threading.Lock()

    def add(self, rows):
        with self._lock:
            self.now += rows
            self.peak = max(self.peak, self.now)

    def read(self, rows):
        found = read(rows)
        self.add(len(found))
        return found


@pytest.mark.parametrize("shuffled", [True, False])
def test_a_stream_holds_its_buffer_and_a_few_row_groups_of_any_amount_of_data(shuffled, tmp_path, monkeypatch):
    files = write_snapshot(tmp_path, [[GROUP_ROWS] * 20] * 3)
    held = Held()
    monkeypatch.setattr(chunks, "BUFFER_ROWS", 2000)
    monkeypatch.setattr(chunks, "BLOCK_ROWS", 100)
    monkeypatch.setattr(chunks, "read", held.read)
    (feed,) = feeds(files, mode="stream", batch_size=50, world_size=1, shuffle=shuffled)
    for batch in feed.epoch(0):
        held.add(-len(batch))
    chunk = max(GROUP_ROWS, 2000 // 8 + 100)
    limit = 2000 + (chunks.READERS + 1) * GROUP_ROWS + (chunks.CHUNKS_AHEAD + 2) * chunk
    assert held.now == 0
    assert GROUP_ROWS <= held.peak <= limit
    assert limit < GROUPS * GROUP_ROWS / 4


Memory = namedtuple("Memory", "available")


def survives_its_files(files, *, available, world_size, monkeypatch):
    """Whether auto made the feeds resident: they need no files any more."""
    monkeypatch.setattr(feed.psutil, "virtual_memory", lambda: Memory(available))
    opened = feeds(files, mode="auto", batch_size=100, world_size=world_size)
    for file in files:
        Path(file).unlink()
    try:
        return [sum(len(batch) for batch in feed.epoch(0)) for feed in opened] != []
    except DataError:
        return False


@pytest.mark.parametrize("world_size", [1, 2])
@pytest.mark.parametrize(("spare", "resident"), [(0, True), (-4, False)])
def test_auto_is_resident_where_all_rows_fit_a_quarter_of_the_hosts_memory(
    spare, resident, world_size, tmp_path, monkeypatch
):
    files = write_snapshot(tmp_path, [[500, 500]])
    available = 4 * 1000 * BYTES_A_ROW + spare
    assert survives_its_files(files, available=available, world_size=world_size, monkeypatch=monkeypatch) is resident
