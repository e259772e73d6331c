"""What every feed gives: each row once an epoch over all ranks, in equal steps, in an order the seed decides."""

from __future__ import annotations

import threading
from collections import Counter
from itertools import chain

import pytest
import torch
from tests.neural.feed_snapshots import CPU, all_rows, feeds, rows_of, write_snapshot

from nightreel.errors import ConfigurationError
from nightreel.neural.feed import chunks, open_feed
from nightreel.neural.process import Process

FILES = [[300, 200, 150], [7], [343]]
ROWS = 1000

pytestmark = pytest.mark.parametrize("mode", ["stream", "resident"])


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_snapshot(tmp_path_factory.mktemp("feed"), FILES)


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    """So that a thousand rows pass through everything a billion would."""
    monkeypatch.setattr(chunks, "BUFFER_ROWS", 256)
    monkeypatch.setattr(chunks, "BLOCK_ROWS", 32)
    monkeypatch.setattr(chunks, "RUN", 4)
    monkeypatch.setattr(chunks, "CHUNK_ROWS", 64)


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("batch_size", [1, 7, 64, 999, 1000, 5000])
@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_every_row_comes_once_an_epoch_over_all_ranks(files, mode, world_size, batch_size, shuffle):
    of_ranks = feeds(files, mode=mode, batch_size=batch_size, world_size=world_size, shuffle=shuffle)
    for number in range(2):
        epochs = [list(feed.epoch(number)) for feed in of_ranks]
        assert [len(epoch) for epoch in epochs] == [-(-ROWS // batch_size)] * world_size
        assert {(feed.rows, feed.steps) for feed in of_ranks} == {(ROWS, len(epochs[0]))}
        assert Counter(rows_of(chain.from_iterable(epochs))) == all_rows(ROWS)
        for batches in zip(*epochs, strict=True):
            lengths = [len(batch) for batch in batches]
            assert 0 < sum(lengths) <= batch_size
            assert max(lengths) - min(lengths) <= 1


@pytest.mark.parametrize("world_size", [1, 2, 3, 5])
@pytest.mark.parametrize("batch_size", [1, 64, 700])
def test_weights_make_the_mean_of_all_rows_out_of_the_batches_means(files, mode, world_size, batch_size):
    epochs = [list(feed.epoch(0)) for feed in feeds(files, mode=mode, batch_size=batch_size, world_size=world_size)]
    total = 0.0
    for batches in zip(*epochs, strict=True):
        means = [batch.weight * batch.ratings.double().mean().item() for batch in batches if len(batch)]
        total += sum(len(batch) for batch in batches) * sum(means) / world_size
        assert all(batch.weight == 0.0 for batch in batches if not len(batch))
    assert total / ROWS == pytest.approx(2.25, rel=1e-12)


def test_batches_have_the_types_promised_and_may_be_written_to(files, mode):
    for shuffle in (True, False):
        (feed,) = feeds(files, mode=mode, batch_size=300, world_size=1, shuffle=shuffle)
        for batch in feed.epoch(0):
            assert (batch.users.dtype, batch.items.dtype) == (torch.int64, torch.int64)
            assert batch.ratings.dtype == torch.float32
            assert batch.users.shape == batch.items.shape == batch.ratings.shape == (len(batch),)
            batch.ratings.mul_(2)
        assert Counter(rows_of(feed.epoch(1))) == all_rows(ROWS)


@pytest.mark.parametrize("world_size", [1, 2])
def test_the_same_seed_gives_the_same_batches_whatever_came_before(files, mode, world_size):
    options = {"mode": mode, "batch_size": 64, "world_size": world_size}
    once, again = feeds(files, seed=5, **options), feeds(files[::-1], seed=5, **options)
    for feed, other in zip(once, again, strict=True):
        first, second = rows_of(feed.epoch(0)), rows_of(feed.epoch(1))
        assert rows_of(other.epoch(1)) == second
        assert rows_of(other.epoch(0)) == first


def test_another_epoch_seed_or_rank_has_another_order(files, mode):
    one, two = feeds(files, mode=mode, batch_size=64, world_size=2, seed=5)
    (other_seed, _) = feeds(files, mode=mode, batch_size=64, world_size=2, seed=6)
    orders = [rows_of(epoch) for epoch in (one.epoch(0), one.epoch(1), two.epoch(0), other_seed.epoch(0))]
    for place, order in enumerate(orders):
        for other in orders[place + 1 :]:
            same = sum(row == others for row, others in zip(order, other, strict=True))
            assert same < 25, "1 of 500 is to be expected"


def test_unshuffled_rows_come_in_the_order_of_the_files(files, mode):
    one, two = feeds(files, mode=mode, batch_size=64, world_size=2, shuffle=False)
    assert [user for user, _, _ in rows_of(chain(one.epoch(3), two.epoch(3)))] == list(range(ROWS))


@pytest.mark.parametrize("world_size", [2, 3])
def test_ranks_share_the_only_row_group(mode, world_size, tmp_path):
    files = write_snapshot(tmp_path, [[100]])
    of_ranks = feeds(files, mode=mode, batch_size=30, world_size=world_size)
    of_each = [rows_of(feed.epoch(0)) for feed in of_ranks]
    assert max(map(len, of_each)) - min(map(len, of_each)) <= 1
    assert Counter(chain.from_iterable(of_each)) == all_rows(100)


def test_fewer_rows_than_ranks_give_empty_batches(mode, tmp_path):
    files = write_snapshot(tmp_path, [[2]])
    epochs = [list(feed.epoch(0)) for feed in feeds(files, mode=mode, batch_size=2, world_size=3)]
    assert [[(len(batch), batch.weight) for batch in epoch] for epoch in epochs] == [[(1, 1.5)], [(1, 1.5)], [(0, 0.0)]]


def test_closing_ends_epochs_and_their_threads(files, mode):
    (feed,) = feeds(files, mode=mode, batch_size=64, world_size=1)
    epochs = [feed.epoch(0), feed.epoch(1)]
    for epoch in epochs:
        next(epoch)
    feed.close()
    assert [list(epoch) for epoch in epochs] == [[], []]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("nightreel-feed")]
    feed.close()
    with pytest.raises(RuntimeError, match="the feed is closed"):
        feed.epoch(2)


def test_an_epoch_that_is_left_ends_its_threads(files, mode):
    (feed,) = feeds(files, mode=mode, batch_size=64, world_size=1)
    for _ in feed.epoch(0):
        break
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("nightreel-feed")]
    assert Counter(rows_of(feed.epoch(1))) == all_rows(ROWS)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"batch_size": 0}, "^batch_size 0: must be 1 or more$"),
        ({"rank": 2}, "^rank 2 of 2: must be from 0 to 1$"),
        ({"rank": -1}, "^rank -1 of 2: must be from 0 to 1$"),
        ({"mode": "fast"}, "^mode 'fast': must be one of auto, stream, resident$"),
    ],
)
def test_arguments_out_of_range_are_refused(files, mode, wrong, message):
    with pytest.raises(ConfigurationError, match=message):
        given = {"rank": 0, "mode": mode, "batch_size": 64, **wrong}
        open_feed(files, Process(given.pop("rank"), 2, CPU), seed=1, **given)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_rows_come_on_the_gpu(files, mode):
    device = torch.device("cuda", 0)
    feed = open_feed(files, Process(0, 1, device), mode=mode, batch_size=64, seed=1)
    batches = list(feed.epoch(0))
    assert {tensor.device for batch in batches for tensor in (batch.users, batch.items, batch.ratings)} == {device}
    assert Counter(rows_of(batches)) == all_rows(ROWS)
