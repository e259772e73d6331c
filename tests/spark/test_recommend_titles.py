"""Recommendations and similar items, in external ids and with titles."""

from __future__ import annotations

from datetime import date

import pytest

from nightreel.models import Capability, FactorModel
from nightreel.recommend import recommend_for_all, similar_items
from nightreel.tables.schemas import SCHEMAS

RUN = {"run_id": "r1", "run_date": date(2026, 3, 1)}


@pytest.fixture(scope="module")
def shop(spark):
    """Two tastes: items 0-2 are action, 3-5 drama, each liked less than the one before."""
    vectors = [[3.0, 0.0], [2.0, 0.0], [1.0, 0.0], [0.0, 3.0], [0.0, 2.0], [0.0, 1.0]]
    columns = "bias float, factors array<float>, mean_rating float"
    model = FactorModel(
        algorithm="als",
        users=spark.createDataFrame([(0, 0.0, [1.0, 0.1], 3.0), (1, 0.0, [0.1, 1.0], 3.0)], f"user_idx int, {columns}"),
        items=spark.createDataFrame([(i, 0.0, v, 3.0) for i, v in enumerate(vectors)], f"item_idx int, {columns}"),
        mean=1.0,
        global_mean=3.0,
        rank=2,
        capabilities=frozenset(Capability),
    )
    users = spark.createDataFrame([(0, "anna"), (1, "bert"), (2, "new")], "user_idx int, user_id string")
    names = ["Alien", None, "Aliens", "Amour", "Atonement", "Avalon"]
    items = spark.createDataFrame(
        [(i, 100 + i, name) for i, name in enumerate(names)], "item_idx int, item_id bigint, title string"
    )
    return model, users, items


def test_everyone_gets_unseen_titles(spark, shop):
    seen = spark.createDataFrame(
        [(0, 0, "train"), (0, 2, "test"), (1, 3, "validation")], "user_idx int, item_idx int, split string"
    )
    rows = recommend_for_all(*shop, seen, n=2, **RUN)
    assert rows.columns == list(SCHEMAS["gold_recommendations"].columns)
    assert dict(rows.dtypes)["run_date"] == "date"
    assert [tuple(row) for row in rows.orderBy("user_id", "rank").collect()] == [
        ("r1", RUN["run_date"], "anna", 1, 101, None, 3.0),
        ("r1", RUN["run_date"], "anna", 2, 103, "Amour", pytest.approx(1.3)),
        ("r1", RUN["run_date"], "bert", 1, 104, "Atonement", 3.0),
        ("r1", RUN["run_date"], "bert", 2, 105, "Avalon", 2.0),
        # The model does not know this user: the average of the others, and of two equals the one numbered first.
        ("r1", RUN["run_date"], "new", 1, 100, "Alien", pytest.approx(2.65)),
        ("r1", RUN["run_date"], "new", 2, 103, "Amour", pytest.approx(2.65)),
    ]


def test_similar_items_have_titles_on_both_sides(shop):
    model, _, items = shop
    rows = similar_items(model, items, n=1, **RUN)
    assert rows.columns == list(SCHEMAS["gold_similar_items"].columns)
    assert [tuple(row)[2:] for row in rows.orderBy("item_id").collect()][:3] == [
        (100, "Alien", 1, 101, None, 1.0),
        (101, None, 1, 100, "Alien", 1.0),
        (102, "Aliens", 1, 100, "Alien", 1.0),
    ]
