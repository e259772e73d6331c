"""Rows that do not arrive, files that change: the epoch ends with an error that says so, never with fewer rows."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.neural.feed_snapshots import feeds, write_snapshot

from nightreel.errors import DataError
from nightreel.neural.feed import chunks
from nightreel.neural.feed.petastorm import read

FILES = [[300, 200], [500]]


@pytest.fixture
def files(tmp_path):
    return write_snapshot(tmp_path, FILES)


@pytest.fixture
def one_row_is_lost(monkeypatch):
    """As if petastorm gave one row group a row short."""

    def short(rows):
        found = read(rows)
        return found.cut(0, len(found) - 1) if rows.group.rows == 200 else found

    monkeypatch.setattr(chunks, "read", short)


@pytest.mark.parametrize("batch_size", [64, 5000])
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.usefixtures("one_row_is_lost")
def test_a_lost_row_ends_the_epoch_with_an_error_after_its_last_batch(files, batch_size, shuffle):
    (feed,) = feeds(files, mode="stream", batch_size=batch_size, world_size=1, shuffle=shuffle)
    epoch = feed.epoch(7)
    assert sum(len(next(epoch)) for _ in range(feed.steps)) == 999
    with pytest.raises(DataError, match=r"^epoch 7: 999 rows arrived where .* count 1,000 \(rank 0 of 1: "):
        next(epoch)


@pytest.mark.usefixtures("one_row_is_lost")
def test_a_row_lost_on_one_rank_is_that_ranks_error_where_ranks_cannot_ask_each_other(files):
    outcomes = []
    for feed in feeds(files, mode="stream", batch_size=64, world_size=2, shuffle=False):
        try:
            outcomes.append(sum(len(batch) for batch in feed.epoch(0)))
        except DataError as error:
            outcomes.append(str(error))
    assert "499 rows arrived" in outcomes[0]
    assert "(rank 0 of 2: 499 of 500)" in outcomes[0]
    assert outcomes[1] == 500


@pytest.mark.usefixtures("one_row_is_lost")
def test_a_row_lost_while_loading_is_found_before_any_epoch(files):
    with pytest.raises(DataError, match=r"^loading: 999 rows arrived where .* count 1,000"):
        feeds(files, mode="resident", batch_size=64, world_size=1)


@pytest.mark.parametrize("batch_size", [64, 5000])
def test_a_row_too_many_is_an_error_too(files, batch_size, monkeypatch):
    monkeypatch.setattr(
        chunks, "read", lambda rows: read(rows) if rows.group.rows != 200 else read(rows).each(lambda c: c.repeat(2))
    )
    (feed,) = feeds(files, mode="stream", batch_size=batch_size, world_size=1)
    with pytest.raises(DataError, match=r"^epoch 0: 1,200 rows arrived where .* count 1,000"):
        list(feed.epoch(0))


@pytest.mark.parametrize(
    "change", [Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:-50])], ids=["gone", "cut off"]
)
def test_a_file_that_changes_after_opening_is_named(change, files):
    (feed,) = feeds(files, mode="stream", batch_size=64, world_size=1)
    change(Path(files[1]))
    with pytest.raises(DataError, match=rf"^{files[1]}: cannot be read any more: "):
        list(feed.epoch(0))


def test_a_reader_that_fails_within_the_file_fails_the_epoch(files):
    (feed,) = feeds(files, mode="stream", batch_size=64, world_size=1)
    content = bytearray(Path(files[1]).read_bytes())
    content[4:1500] = bytes(1496)
    Path(files[1]).write_bytes(content)
    with pytest.raises(DataError, match=rf"^{files[1]}: cannot be read any more: "):
        list(feed.epoch(0))


def test_an_exception_of_the_training_step_passes_through(files):
    (feed,) = feeds(files, mode="stream", batch_size=64, world_size=1)
    with pytest.raises(ZeroDivisionError):
        for _ in feed.epoch(0):
            _ = 1 / 0
