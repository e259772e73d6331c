"""Two processes with a process group: rows are counted over both, and both come to the same conclusion."""

from __future__ import annotations

from collections import Counter

import pytest
from tests.neural.feed_snapshots import CPU, Row, all_rows, rows_of, write_snapshot
from tests.neural.ranks import results_of

from nightreel.errors import ConfigurationError, DataError
from nightreel.neural.feed import chunks, open_feed
from nightreel.neural.feed import feed as feed_module
from nightreel.neural.feed.petastorm import read
from nightreel.neural.process import Process, process_group

RANKS = 2


def opened(files, rank, *, world_size=RANKS, mode="stream", shuffle=True):
    return open_feed(files, Process(rank, world_size, CPU), mode=mode, batch_size=64, seed=1, shuffle=shuffle)


def outcome(action):
    """What an action gives, or its error: neither may keep this rank from the next case."""
    try:
        return action()
    except (DataError, ConfigurationError) as error:
        return f"{type(error).__name__}: {error}"


def whole_epoch(files, rank):
    return rows_of(opened(files, rank).epoch(0))


def lost_on_the_second_rank(files, rank):
    whole = read
    try:
        if rank == 1:
            chunks.read = lambda rows: whole(rows).cut(0, len(whole(rows)) - 1)
        feed = opened(files, rank, shuffle=False)
        return outcome(lambda: sum(len(batch) for batch in feed.epoch(4)))
    finally:
        chunks.read = whole


def auto_where_one_rank_has_no_memory(files, rank):
    fits = feed_module._fits
    try:
        feed_module._fits = lambda *_: rank == 0
        feed = opened(files, rank, mode="auto")
        return type(feed._source).__name__, len(rows_of(feed.epoch(0)))
    finally:
        feed_module._fits = fits


def other_files_on_the_second_rank(files, rank):
    return outcome(lambda: opened(files[: 2 - rank], rank).rows)


def a_world_of_three(files, rank):
    return outcome(lambda: opened(files, rank, world_size=3).rows)


def alone_in_a_group(files, rank):
    return len(rows_of(opened(files, 0, world_size=1).epoch(0))) if rank == 0 else None


CASES = (
    whole_epoch,
    lost_on_the_second_rank,
    auto_where_one_rank_has_no_memory,
    other_files_on_the_second_rank,
    a_world_of_three,
    alone_in_a_group,
)


def all_cases(files):
    with process_group("cpu") as process:
        return {case.__name__: case(files, process.rank) for case in CASES}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory) -> dict[str, list[object]]:
    """Each case's outcome on both ranks."""
    found = results_of(all_cases, write_snapshot(tmp_path_factory.mktemp("ranks"), [[300, 200], [500]]))
    return {case.__name__: [of_rank[case.__name__] for of_rank in found] for case in CASES}


def test_rows_are_counted_over_both(outcomes):
    of_ranks: list[list[Row]] = outcomes["whole_epoch"]
    assert [len(rows) for rows in of_ranks] == [500, 500]
    assert sum(map(Counter, of_ranks), Counter()) == all_rows(1000)


def test_a_row_lost_on_one_rank_is_the_error_of_both(outcomes):
    common = "DataError: epoch 4: 999 rows arrived where the footers of the snapshot's files count 1,000"
    assert outcomes["lost_on_the_second_rank"] == [
        f"{common} (rank 0 of 2: 500 of 500)",
        f"{common} (rank 1 of 2: 499 of 500)",
    ]


def test_if_one_rank_cannot_be_resident_none_is(outcomes):
    assert outcomes["auto_where_one_rank_has_no_memory"] == [("Stream", 500), ("Stream", 500)]


def test_ranks_that_see_other_rows_are_refused_on_both(outcomes):
    message = "DataError: the ranks see from 500 to 1,000 rows; give all of them the same files"
    assert outcomes["other_files_on_the_second_rank"] == [message, message]


def test_a_world_size_that_is_not_the_groups_is_refused(outcomes):
    message = "ConfigurationError: world_size 3: must be 1 or the process group's, which is 2"
    assert outcomes["a_world_of_three"] == [message, message]


def test_a_feed_for_one_rank_asks_no_other(outcomes):
    assert outcomes["alone_in_a_group"] == [1000, None]
