"""Equal steps on every rank, each row once, no step empty, and weights that make means of means right."""

from __future__ import annotations

from fsspec.implementations.local import LocalFileSystem
from hypothesis import given
from hypothesis import strategies as st

from nightreel.neural.feed.snapshot import RowGroup, RowRange, Shares, row_ranges


def test_ten_rows_over_three_ranks():
    shares = Shares(rows=10, batch_size=4, world_size=3)
    # Steps of rows 0-2, 3-5 and 6-9; row n is of rank n % 3.
    assert shares.steps == 3
    assert [shares.sizes(rank) for rank in range(3)] == [[1, 1, 2], [1, 1, 1], [1, 1, 1]]
    assert [shares.bounds(rank) for rank in range(3)] == [(0, 4), (4, 7), (7, 10)]
    assert [shares.weight(2, rows) for rows in (2, 1, 1)] == [1.5, 0.75, 0.75]


def test_fewer_rows_than_ranks_leave_batches_empty_but_no_step():
    shares = Shares(rows=2, batch_size=1, world_size=3)
    assert [shares.sizes(rank) for rank in range(3)] == [[1, 0], [0, 1], [0, 0]]
    assert (shares.weight(0, 1), shares.weight(0, 0)) == (3.0, 0.0)


@given(rows=st.integers(1, 10**9), steps=st.integers(1, 50), world_size=st.integers(1, 9))
def test_every_row_has_one_place(rows, steps, world_size):
    shares = Shares(rows=rows, batch_size=-(-rows // steps), world_size=world_size)
    sizes = [shares.sizes(rank) for rank in range(world_size)]
    bounds = [shares.bounds(rank) for rank in range(world_size)]
    assert [end - begin for begin, end in bounds] == [sum(of_rank) for of_rank in sizes]
    assert [begin for begin, _ in bounds] + [rows] == [0] + [end for _, end in bounds]
    for step, of_step in enumerate(zip(*sizes, strict=True)):
        assert 0 < sum(of_step) <= shares.batch_size
        assert max(of_step) - min(of_step) <= 1
        assert abs(sum(shares.weight(step, size) for size in of_step) - world_size) < 1e-9
    assert len(sizes[0]) == shares.steps


def test_ranges_lie_in_the_groups_that_hold_their_rows():
    one, two, three = (RowGroup(LocalFileSystem(), f"/{rows}", 0, 1, rows) for rows in (5, 1, 4))
    assert row_ranges([one, two, three], 0, 10) == [RowRange(one, 0, 5), RowRange(two, 0, 1), RowRange(three, 0, 4)]
    assert row_ranges([one, two, three], 3, 8) == [RowRange(one, 3, 5), RowRange(two, 0, 1), RowRange(three, 0, 2)]
    assert row_ranges([one, two, three], 6, 7) == [RowRange(three, 0, 1)]
    assert row_ranges([one, two, three], 6, 6) == []
