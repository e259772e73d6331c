"""The words of the items, weighed."""

from __future__ import annotations

import math

import pytest
from pyspark.sql import SparkSession

from nightreel.prepare.scratch import Scratch
from nightreel.prepare.text import item_text
from nightreel.settings import TextSettings

ITEMS = [
    (0, "The Matrix", ["Action", "Sci-Fi"]),
    (1, "The Matrix Reloaded, the Matrix", None),
    (2, "Amélie", ["Romance"]),
    (3, None, None),
    (4, "X", []),
]


def weigh(
    spark: SparkSession, *, min_items: int, max_share: float
) -> tuple[dict[str, float], dict[int, dict[str, float]]]:
    items = spark.createDataFrame(ITEMS, "item_idx int, title string, genres array<string>")
    with Scratch() as scratch:
        text = item_text(items, TextSettings(min_items=min_items, max_share=max_share), scratch=scratch)
        terms = {row["term_idx"]: row for row in text.vocabulary.collect()}
        assert sorted(terms) == list(range(len(terms)))
        assert [terms[place]["term"] for place in sorted(terms)] == sorted(row["term"] for row in terms.values())
        rows = {row["item_idx"]: row for row in text.weights.collect()}
    assert all(row["terms"] == sorted(row["terms"]) for row in rows.values())
    weights = {
        item: {terms[term]["term"]: weight for term, weight in zip(row["terms"], row["weights"], strict=True)}
        for item, row in rows.items()
    }
    return {row["term"]: row["idf"] for row in terms.values()}, weights


def test_weights_are_counts_times_idf_at_length_one(spark: SparkSession) -> None:
    idf, weights = weigh(spark, min_items=1, max_share=1.0)
    twice, once = math.log(6 / 3) + 1, math.log(6 / 2) + 1
    assert idf["matrix"] == pytest.approx(twice)
    assert idf["amélie"] == pytest.approx(once)
    length = math.sqrt((2 * twice) ** 2 + (2 * twice) ** 2 + once**2)
    assert weights[1] == pytest.approx(
        {"matrix": 2 * twice / length, "the": 2 * twice / length, "reloaded": once / length}
    )
    assert set(weights[0]) == {"the", "matrix", "action", "sci", "fi"}
    assert set(weights) == {0, 1, 2}, "an item without a word of two letters has no row"


def test_rare_and_common_words_are_left_out(spark: SparkSession) -> None:
    idf, weights = weigh(spark, min_items=2, max_share=1.0)
    assert set(idf) == {"the", "matrix"}
    assert set(weights) == {0, 1}
    assert weigh(spark, min_items=2, max_share=0.3) == ({}, {})
