"""Row groups from footers, a clear line for every snapshot that cannot be trained on, and equal steps on all ranks."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.local import LocalFileSystem
from hypothesis import given
from hypothesis import strategies as st
from tests.neural.feed_snapshots import all_rows, feeds, rows_of, table, write_snapshot

from nightreel.errors import DataError
from nightreel.neural.feed.snapshot import RowGroup, RowRange, Shares, row_groups, row_ranges


def test_rows_and_row_groups_come_in_the_order_of_paths_without_empty_groups(tmp_path):
    files = write_snapshot(tmp_path, [[3, 0, 2], [4], [0]])
    groups = row_groups(files[::-1])
    assert sum(group.rows for group in groups) == 9
    found = [(Path(group.path).name[:10], group.number, group.siblings, group.rows) for group in groups]
    assert found == [("part-00000", 0, 3, 3), ("part-00000", 2, 3, 2), ("part-00001", 0, 1, 4)]


ODD = "a b%20c#d?e=ü"


@pytest.mark.parametrize(
    "named", [str, lambda path: f"file://{quote(path)}", lambda path: f"file:{quote(path)}"], ids=["path", "//", "/"]
)
def test_odd_names_are_read_as_paths_and_as_uris(named, tmp_path):
    files = [named(file) for file in write_snapshot(tmp_path / ODD, [[3, 2], [4]])]
    (feed,) = feeds(files, mode="stream", batch_size=4, world_size=1)
    assert dict.fromkeys(rows_of(feed.epoch(0)), 1) == all_rows(9)


def test_a_missing_column_is_named_with_those_that_are_there(tmp_path):
    path = tmp_path / "one.parquet"
    pq.write_table(table(0, 3).select(["user_idx", "title", "item_idx"]), path)
    with pytest.raises(DataError, match=rf"^{path}: column rating is missing; there are user_idx, title, item_idx$"):
        row_groups([str(path)])


def test_another_type_is_refused(tmp_path):
    path = tmp_path / "one.parquet"
    wide = table(0, 3)
    wide = wide.set_column(wide.column_names.index("rating"), "rating", pa.array([1.0, 2.0, 3.0], pa.float64()))
    pq.write_table(wide, path)
    with pytest.raises(DataError, match=rf"^{path}: column rating is double; float is needed$"):
        row_groups([str(path)])


def with_null(column: str) -> pa.Table:
    rows = table(0, 3)
    position = rows.column_names.index(column)
    values = [*rows.column(column).to_pylist()[:-1], None]
    return rows.set_column(position, column, pa.array(values, rows.schema.field(column).type))


@pytest.mark.parametrize("column", ["user_idx", "item_idx", "rating"])
def test_null_is_refused(column, tmp_path):
    path = tmp_path / "one.parquet"
    pq.write_table(with_null(column), path)
    with pytest.raises(DataError, match=rf"^{path}: column {column} holds null; every row needs a value$"):
        row_groups([str(path)])


@pytest.mark.parametrize("column", ["user_idx", "item_idx", "rating"])
def test_null_that_the_footer_is_silent_about_is_refused_when_read(column, tmp_path):
    path = tmp_path / "one.parquet"
    pq.write_table(with_null(column), path, write_statistics=False)
    (feed,) = feeds([str(path)], mode="stream", batch_size=3, world_size=1)
    with pytest.raises(DataError, match=rf"^{path}: row group 0 holds null; every row needs a value$"):
        list(feed.epoch(0))


def test_what_is_not_parquet_is_refused(tmp_path):
    path = tmp_path / "one.parquet"
    path.write_text("user_idx,item_idx,rating\n1,2,3.0\n")
    with pytest.raises(DataError, match=rf"^{path}: cannot be read as Parquet: "):
        row_groups([str(path)])


def test_a_cut_off_file_is_refused(tmp_path):
    path = Path(write_snapshot(tmp_path, [[1000]])[0])
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=rf"^{path}: cannot be read as Parquet: "):
        row_groups([str(path)])


def test_a_file_that_is_gone_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"gone\.parquet: cannot be read as Parquet: .*No such file"):
        row_groups([str(tmp_path / "gone.parquet")])


@pytest.mark.parametrize("files", [[], [[0], [0, 0]]])
def test_no_rows_are_refused(files, tmp_path):
    with pytest.raises(DataError, match=rf"^no rows in the {len(files)} files given; the snapshot's split is empty$"):
        row_groups(write_snapshot(tmp_path, files))


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
