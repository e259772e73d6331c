"""The numpy half of the top-N engine, against what sorting every score of every user gives."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightreel.errors import DataError
from nightreel.models.engine.catalogue import (
    Catalogue,
    Users,
    best_columns,
    catalogue_of,
    factor_matrix,
    seen_lists,
    users_of,
)


def users(factors, seen=None, bias=None):
    factors = np.asarray(factors, np.float32)
    seen = [[]] * len(factors) if seen is None else seen
    return Users(
        bias=np.zeros(len(factors), np.float32) if bias is None else np.asarray(bias, np.float32),
        factors=factors,
        seen=np.array([item for items in seen for item in items], np.int32),
        seen_counts=np.array([len(items) for items in seen], np.int64),
    )


def catalogue(factors, bias=None, item_idx=None, **options):
    factors = np.asarray(factors, np.float32)
    bias = np.zeros(len(factors)) if bias is None else bias
    item_idx = np.arange(len(factors)) if item_idx is None else item_idx
    return Catalogue(np.asarray(item_idx), np.asarray(bias, np.float32), factors, **options)


def listed(ranked, count):
    lists = [[] for _ in range(count)]
    for row, rank, item in zip(ranked.row, ranked.rank, ranked.item_idx, strict=True):
        lists[row].append(int(item))
        assert rank == len(lists[row])
    return lists


def by_sorting(whom, items, bias, item_idx, n):
    starts = np.concatenate([[0], np.cumsum(whom.seen_counts)])
    lists = []
    for row in range(len(whom.factors)):
        seen = set(whom.seen[starts[row] : starts[row + 1]].tolist())
        scores = items @ whom.factors[row] + bias
        left = [(-s, i) for s, i in zip(scores, item_idx, strict=True) if np.isfinite(s) and i not in seen]
        lists.append([int(i) for _, i in sorted(left)[:n]])
    return lists


def test_two_tastes_get_their_own_films_in_order():
    # Items 0-2 are action, 3-5 drama, each weaker than the one before; item 5 is liked by all.
    items = catalogue([[3, 0], [2, 0], [1, 0], [0, 3], [0, 2], [0, 1]], bias=[0, 0, 0, 0, 0, 4])
    ranked = items.best(users([[1, 0], [0, 1]], seen=[[0], []]), 3)
    assert listed(ranked, 2) == [[5, 1, 2], [5, 3, 4]]
    assert ranked.score.tolist() == [4, 2, 1, 5, 3, 2]


whole = st.integers(-2, 2)


@st.composite
def problems(draw):
    rank, count, people = draw(st.integers(0, 3)), draw(st.integers(0, 40)), draw(st.integers(0, 8))
    vector = st.lists(whole, min_size=rank, max_size=rank)
    items = np.array(draw(st.lists(vector, min_size=count, max_size=count)), np.float32).reshape(count, rank)
    tastes = np.array(draw(st.lists(vector, min_size=people, max_size=people)), np.float32).reshape(people, rank)
    bias = np.array(draw(st.lists(whole, min_size=count, max_size=count)), np.float32)
    item_idx = np.array(draw(st.lists(st.integers(0, 80), min_size=count, max_size=count, unique=True)), np.int64)
    seen = draw(st.lists(st.lists(st.integers(-1, 90), max_size=60), min_size=people, max_size=people))
    return tastes, seen, items, bias, item_idx, draw(st.integers(1, 50)), draw(st.sampled_from([1, 300, 4 << 20]))


@settings(max_examples=150, deadline=None)
@given(problems())
def test_equals_sorting_every_score(problem):
    tastes, seen, items, bias, item_idx, n, tile_bytes = problem
    whom = users(tastes, seen)
    ranked = catalogue(items, bias, item_idx, tile_bytes=tile_bytes).best(whom, n)
    assert listed(ranked, len(tastes)) == by_sorting(whom, items, bias, item_idx, n)


@pytest.mark.parametrize("n", [1, 10, 64, 500])
@pytest.mark.parametrize("values", [2, 5, 100])
def test_many_items_with_ties_across_the_last_place(n, values):
    rng = np.random.default_rng(7)
    items, bias = rng.integers(0, values, (2000, 2)), rng.integers(0, values, 2000)
    seen = [rng.integers(0, 2000, size).tolist() for size in (0, 5, 1999, 4000)] + [list(range(1997)), []]
    whom = users(np.array([[1, 0], [2, 1], [0, 1], [1, 1], [1, -1], [0, 0]]), seen)
    lists = listed(catalogue(items, bias).best(whom, n), 6)
    assert lists == by_sorting(whom, items, bias, np.arange(2000), n)


def test_any_tile_size_gives_the_same_lists():
    """On some processors a product's last bit depends on where in its tile a row stands."""
    rng = np.random.default_rng(3)
    items, tastes = rng.normal(size=(999, 17)), rng.normal(size=(103, 17))
    whole_tile, *others = (catalogue(items, tile_bytes=size).best(users(tastes), 10) for size in (1 << 30, 1, 99_999))
    for other in others:
        assert np.array_equal(whole_tile.item_idx, other.item_idx)
        assert np.allclose(whole_tile.score, other.score, rtol=0, atol=1e-5)


def test_real_scores_are_in_order_and_the_best():
    rng = np.random.default_rng(5)
    items, tastes = rng.normal(size=(5000, 8)).astype(np.float32), rng.normal(size=(50, 8)).astype(np.float32)
    ranked = catalogue(items).best(users(tastes), 10)
    scores = tastes.astype(float) @ items.T.astype(float)
    assert ranked.item_idx.reshape(50, 10).tolist() == np.argsort(-scores, axis=1)[:, :10].tolist()
    assert ranked.score.reshape(50, 10) == pytest.approx(-np.sort(-scores, axis=1)[:, :10], abs=1e-4)
    assert all(a >= b for row in ranked.score.reshape(50, 10) for a, b in pairwise(row))


def test_what_is_not_finite_is_never_recommended():
    bad = [np.nan, np.inf, -np.inf]
    items = catalogue([[1], *([value] for value in bad), [2], [3]], bias=[0, 0, 0, 0, np.nan, 0])
    ranked = items.best(users([[1], [np.nan], [1], [np.inf], [2]], bias=[0, 0, np.nan, 0, 0]), 10)
    assert listed(ranked, 5) == [[5, 0], [], [], [], [5, 0]]


def test_scores_that_overflow_keep_no_other_item_out():
    # inf - inf is NaN, or inf where the processor fuses the product with the sum.
    ranked = catalogue([[3e38, 3e38], [1, 0], [2, 0]]).best(users([[3e38, -3e38], [1, 0]]), 3)
    first, second = listed(ranked, 2)
    assert [item for item in first if item] == [2, 1]
    assert second == [0, 2, 1]
    assert not np.isnan(ranked.score).any()


def test_n_and_seen_beyond_what_there_is():
    items = catalogue([[1], [2]], item_idx=[7, 3])
    assert listed(items.best(users([[1], [1], [1]], seen=[[], [3], [3, 7, 3, 99, -4]]), 5), 3) == [[3, 7], [7], []]


@pytest.mark.parametrize("scores", [np.zeros((3, 5000)), -np.ones((3, 40))])
def test_equal_scores_come_by_column(scores):
    _, ranks, columns, _ = best_columns(scores.astype(np.float32), 4)
    assert columns.tolist() == [0, 1, 2, 3] * 3
    assert ranks.tolist() == [1, 2, 3, 4] * 3


def test_minus_infinity_is_never_chosen():
    scores = np.full((2, 3000), -np.inf, np.float32)
    scores[0, 17] = -5
    rows, _, columns, values = best_columns(scores, 10)
    assert (rows.tolist(), columns.tolist(), values.tolist()) == ([0], [17], [-5.0])


def arrow(**columns):
    types = {"factors": pa.list_(pa.float32()), "seen": pa.list_(pa.int32()), "bias": pa.float32()}
    return pa.table({name: pa.array(values, types.get(name, pa.int32())) for name, values in columns.items()})


def test_factors_without_gaps_are_not_copied():
    lists = pa.array([[1, 2], [3, 4]], pa.list_(pa.float32()))
    matrix = factor_matrix(lists, 2)
    assert matrix.tolist() == [[1, 2], [3, 4]]
    assert matrix.__array_interface__["data"][0] == lists.values.buffers()[1].address
    assert factor_matrix(lists.slice(1), 2).tolist() == [[3, 4]]


def test_nulls_are_zeros_and_nothing_seen():
    rows = arrow(bias=[None, 1], factors=[None, [1, 2]], seen=[None, [4]])
    whom = users_of(rows, 2, *seen_lists(rows.column("seen")))
    assert whom.bias.tolist() == [0, 1]
    assert whom.factors.tolist() == [[0, 0], [1, 2]]
    assert whom.seen_counts.tolist() == [0, 1]
    items = catalogue_of(arrow(item_idx=[4, 2], bias=[None, 1], factors=[[], [0, 1]]), 2)
    assert listed(items.best(whom, 2), 2) == [[2, 4], [2]]


def test_factors_of_two_lengths_are_one_clear_line():
    with pytest.raises(DataError, match=r"a row has 1 and another 2"):
        factor_matrix(pa.array([[1, 2], [3]], pa.list_(pa.float32())), 2)
