"""The top-N engine on Spark: however users, items and seen pairs are cut into blocks, the rows are the same."""

from __future__ import annotations

import numpy as np
import pytest

from nightreel.errors import ConfigurationError
from nightreel.models.engine import top_n as engine
from nightreel.models.engine.top_n import similar_items, top_n

USERS = "user_idx int, bias float, factors array<float>"
ITEMS = "item_idx int, bias float, factors array<float>"
SEEN = "user_idx int, item_idx int"
TWO_ITEMS_A_BLOCK = 2 * 4 * 3


def places(rows):
    lists = {}
    for row in rows.orderBy(*rows.columns[:2]).collect():
        lists.setdefault(row[0], []).append(row[2])
        assert row["rank"] == len(lists[row[0]])
    return lists


@pytest.fixture(scope="module")
def planted(spark):
    """60 users and 23 items with small whole factors, so that scores tie often; and every score, for sorting."""
    rng = np.random.default_rng(11)
    users, items, bias = rng.integers(-2, 3, (60, 2)), rng.integers(-2, 3, (23, 2)), rng.integers(-1, 2, 23)
    item_idx = np.sort(rng.permutation(40)[:23])
    seen = [(u, i) for u in range(60) for i in rng.permutation(45)[: rng.integers(0, 40)].tolist()]
    frames = {
        "users": spark.createDataFrame([(u, u / 4, users[u].astype(float).tolist()) for u in range(60)], USERS),
        "items": spark.createDataFrame(
            [(int(i), float(b), v.astype(float).tolist()) for i, b, v in zip(item_idx, bias, items, strict=True)], ITEMS
        ),
        "seen": spark.createDataFrame([*seen, *seen[:50], (-1, 3), (10**6, 3)], SEEN),
    }
    scores = {u: {int(i): int(s) for i, s in zip(item_idx, items @ users[u] + bias, strict=True)} for u in range(60)}
    return frames, scores, set(seen)


def sorted_places(scores, seen, n):
    return {
        user: best
        for user, of in scores.items()
        if (best := sorted((i for i in of if (user, i) not in seen), key=lambda i: (-of[i], i))[:n])
    }


@pytest.mark.parametrize("block_bytes", [engine.BLOCK_BYTES, TWO_ITEMS_A_BLOCK])
@pytest.mark.parametrize("filtered", [False, True])
def test_equals_sorting_in_blocks_or_not(planted, monkeypatch, block_bytes, filtered):
    monkeypatch.setattr(engine, "USERS_A_GROUP", 7)
    frames, scores, seen = planted
    frame = top_n(
        frames["users"], frames["items"], n=5, seen=frames["seen"] if filtered else None, block_bytes=block_bytes
    )
    assert frame.dtypes == [("user_idx", "int"), ("rank", "int"), ("item_idx", "int"), ("score", "float")]
    rows = frame.collect()
    expected = sorted_places(scores, seen if filtered else set(), 5)
    assert {(r.user_idx, r.rank): r.item_idx for r in rows} == {
        (user, rank): item for user, best in expected.items() for rank, item in enumerate(best, 1)
    }
    assert all(r.score == scores[r.user_idx][r.item_idx] + r.user_idx / 4 for r in rows)


def test_without_factors_the_best_biases_win(spark):
    users = spark.createDataFrame([(0, 1.0, []), (1, None, None), (5000, 0.0, [])], USERS)
    items = spark.createDataFrame([(3, 1.0, []), (4, 2.0, None), (9, 2.0, []), (1, float("nan"), [])], ITEMS)
    seen = spark.createDataFrame([(5000, 4), (1, 9), (1, 3), (1, 4)], SEEN)
    assert places(top_n(users, items, n=2, seen=seen)) == {0: [4, 9], 5000: [9, 3]}


def test_no_users_no_items_and_no_places(spark):
    some_users, some_items = spark.createDataFrame([(0, 0.0, [1.0])], USERS), spark.createDataFrame([], ITEMS)
    seen = spark.createDataFrame([(0, 1)], SEEN)
    assert top_n(some_users, some_items, n=3, seen=seen).collect() == []
    assert top_n(some_users.where("false"), some_items, n=3, seen=seen).collect() == []
    with pytest.raises(ConfigurationError, match=r"n = 0: must be 1 or more"):
        top_n(some_users, some_items, n=0, seen=None)


@pytest.mark.parametrize("block_bytes", [engine.BLOCK_BYTES, TWO_ITEMS_A_BLOCK])
def test_similar_items_by_angle(spark, block_bytes):
    vectors = [[1.0, 0.0], [2.0, 0.0], [3.0, 4.0], [0.0, -1.0], [0.0, 0.0], None, [float("nan"), 1.0], [-5.0, 0.0]]
    items = spark.createDataFrame(list(enumerate(vectors)), "item_idx int, factors array<float>")
    rows = similar_items(items, n=2, block_bytes=block_bytes).orderBy("item_idx", "rank")
    found = [(r.item_idx, r.rank, r.similar_item_idx, r.similarity) for r in rows.collect()]
    assert found == [
        (0, 1, 1, 1.0),
        (0, 2, 2, pytest.approx(0.6)),
        (1, 1, 0, 1.0),
        (1, 2, 2, pytest.approx(0.6)),
        (2, 1, 0, pytest.approx(0.6)),
        (2, 2, 1, pytest.approx(0.6)),
        (3, 1, 0, 0.0),
        (3, 2, 1, 0.0),
        (7, 1, 3, 0.0),
        (7, 2, 2, pytest.approx(-0.6)),
    ]
