"""How well rows are mixed: over row groups, within them, and between epochs. Bounds are five standard deviations."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from tests.neural.feed_snapshots import feeds, write_snapshot

from nightreel.neural.feed import chunks
from nightreel.neural.feed.chunks import in_numpy, mixed, shuffled_blocks
from nightreel.neural.feed.petastorm import read
from nightreel.neural.feed.snapshot import Columns

GROUPS, GROUP_ROWS = 10, 400
ROWS = GROUPS * GROUP_ROWS
BATCH = 400


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_snapshot(tmp_path_factory.mktemp("feed"), [[GROUP_ROWS] * 5] * 2)


@pytest.fixture
def small_pieces(monkeypatch):
    monkeypatch.setattr(chunks, "BLOCK_ROWS", 100)
    monkeypatch.setattr(chunks, "RUN", 4)
    monkeypatch.setattr(chunks, "CHUNK_ROWS", 500)


def batches(files, mode, seed=1):
    (feed,) = feeds(files, mode=mode, batch_size=BATCH, world_size=1, seed=seed)
    return [batch.users.numpy() for batch in feed.epoch(0)]


@pytest.mark.parametrize("mode", ["stream", "resident"])
@pytest.mark.usefixtures("small_pieces")
def test_every_batch_has_rows_of_every_group_and_of_every_part_of_them(files, mode):
    for users in batches(files, mode):
        per_group = np.bincount(users // GROUP_ROWS, minlength=GROUPS)
        # 40 of each group are expected; their standard deviation is 5.7.
        assert per_group.min() >= 12
        assert per_group.max() <= 68
        # Places in a group are from 0 to 399, mean 199.5, and the mean of 400 of them has a deviation of 5.5.
        assert abs((users % GROUP_ROWS).mean() - 199.5) < 28


@pytest.mark.parametrize("mode", ["stream", "resident"])
@pytest.mark.usefixtures("small_pieces")
def test_the_order_has_nothing_of_the_files_order(files, mode):
    users = np.concatenate(batches(files, mode))
    for shift in (0, 1):
        correlation = np.corrcoef(users[shift:], np.arange(ROWS)[: ROWS - shift])[0, 1]
        assert abs(correlation) < 5 / np.sqrt(ROWS)
    # Neighbours in the file follow each other twice in an epoch by chance.
    assert sum(abs(one - other) == 1 for one, other in pairwise(users)) < 12


@pytest.mark.usefixtures("small_pieces")
def test_a_buffer_of_a_few_groups_still_mixes_several_of_them(files, monkeypatch):
    monkeypatch.setattr(chunks, "BUFFER_ROWS", 4 * GROUP_ROWS)
    found = batches(files, "stream")
    shares = [np.sort(np.bincount(users // GROUP_ROWS, minlength=GROUPS))[::-1] / BATCH for users in found]
    assert max(share[0] for share in shares) < 0.6
    assert np.mean([share[0] for share in shares]) < 0.4
    # A group's rows are in many batches, the first of the file no sooner than the last.
    users = np.concatenate(found)
    for group in range(GROUPS):
        places = np.flatnonzero(users // GROUP_ROWS == group)
        assert len(np.unique(places // BATCH)) >= 3
        inside = users[places] % GROUP_ROWS
        assert abs(np.corrcoef(places, inside)[0, 1]) < 5 / np.sqrt(GROUP_ROWS)


@pytest.mark.usefixtures("small_pieces")
def test_groups_come_in_another_order_in_every_epoch(files, monkeypatch):
    monkeypatch.setattr(chunks, "BUFFER_ROWS", GROUP_ROWS // 2)
    (feed,) = feeds(files, mode="stream", batch_size=BATCH, world_size=1)
    orders = []
    for number in range(6):
        users = np.concatenate([batch.users.numpy() for batch in feed.epoch(number)])
        middles = [np.flatnonzero(users // GROUP_ROWS == group).mean() for group in range(GROUPS)]
        orders.append(tuple(np.argsort(middles)))
    assert len(set(orders)) == 6
    assert len({order[0] for order in orders}) > 1


@pytest.mark.parametrize("mode", ["stream", "resident"])
@pytest.mark.usefixtures("small_pieces")
def test_a_row_may_come_anywhere_in_an_epoch(mode, tmp_path, monkeypatch):
    monkeypatch.setattr(chunks, "read", cache(read))  # 200 epochs of the same rows
    files = write_snapshot(tmp_path, [[50] * 2])
    places = []
    for seed in range(40):
        (feed,) = feeds(files, mode=mode, batch_size=100, world_size=1, seed=seed)
        places += [np.flatnonzero(np.concatenate([b.users.numpy() for b in feed.epoch(n)]) == 3)[0] for n in range(5)]
    # Uniform over 0 to 99: mean 49.5, deviation 28.9. Of 200, the mean's is 2.04, and a quarter's share has 3.1 %.
    assert abs(np.mean(places) - 49.5) < 10.2
    quarters = np.bincount(np.array(places) // 25, minlength=4) / 200
    assert abs(quarters - 0.25).max() < 0.155


def test_blocks_are_mixed_whole_whatever_their_size(monkeypatch):
    monkeypatch.setattr(chunks, "BLOCK_ROWS", 8)
    sizes = [0, 1, 3, 16, 17, 40, 2]
    users = np.split(np.arange(sum(sizes), dtype=np.int32), np.cumsum(sizes)[:-1])
    blocks = [
        block
        for column in users
        for block in shuffled_blocks(Columns(column, column, column.astype(np.float32)), in_numpy(1))
    ]
    left = list(mixed(blocks, buffer_rows=20, generator=in_numpy(2)))
    assert sorted(np.concatenate([chunk.users for chunk in left])) == list(range(sum(sizes)))
    for chunk in left:
        assert (chunk.users == chunk.items).all()
        assert (chunk.users == chunk.ratings).all()
