"""The terms of the items' texts, weighed as scikit-learn weighs them."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import SparkSession
from scipy.sparse import coo_array, csr_array
from sklearn.feature_extraction.text import TfidfVectorizer

from nightreel.prepare.cache import Cache
from nightreel.prepare.text import item_text, stop_words
from nightreel.settings import TextSettings

CRAFTED = [
    "The Matrix, the MATRIX: of Zion & the Oracle",
    "Don't you, Amélie; AMÉLIE doesn't x y 2 42 10.5 under_score",
    "ΟΔΥΣΣΕΥΣ İstanbul Straße naïve re\u0301sume\u0301 시월애 摇啊摇 𝒜𝓁𝓅 ½ x² Ⅳ",
    "the of and",
    "",
    "zion oracle of the matrix amélie, straße: 42!\nnaïve\tof the zion",
    None,
    "one two three one two three one",
]


def settings(
    *, stop: str = "none", ngrams: tuple[int, int] = (1, 1), min_items: int = 1, max_share: float = 1.0
) -> TextSettings:
    return TextSettings(fields=("title",), stop_words=stop, ngrams=ngrams, min_items=min_items, max_share=max_share)


def weigh(
    spark: SparkSession, texts: Sequence[str | None], settings: TextSettings
) -> tuple[list[str], np.ndarray, csr_array]:
    """The terms in the order of their places, their idf, and the weights, (items, terms)."""
    items = spark.createDataFrame(list(enumerate(texts)), "item_idx int, text string")
    with Cache() as cache:
        text = item_text(items, settings, n_items=len(texts), cache=cache)
        terms = sorted(text.vocabulary.collect())
        rows = text.weights.collect()
    assert all(row["terms"] == sorted(row["terms"]) for row in rows)
    entries = [(row["item_idx"], *entry) for row in rows for entry in zip(row["terms"], row["weights"], strict=True)]
    item_idx, term_idx, weight = map(list, zip(*entries, strict=True)) if entries else ([], [], [])
    weights = coo_array((weight, (item_idx, term_idx)), shape=(len(texts), len(terms))).tocsr()
    assert [term["term_idx"] for term in terms] == list(range(len(terms)))
    return [term["term"] for term in terms], np.array([term["idf"] for term in terms]), weights


def by_scikit_learn(texts: Sequence[str | None], settings: TextSettings) -> tuple[list[str], np.ndarray, csr_array]:
    peer = TfidfVectorizer(
        stop_words=stop_words(settings.stop_words) or None,
        ngram_range=settings.ngrams,
        min_df=settings.min_items,
        max_df=settings.max_share,
    )
    weights = peer.fit_transform([text or "" for text in texts])
    return list(peer.get_feature_names_out()), peer.idf_, csr_array(weights)


def agree(spark: SparkSession, texts: Sequence[str | None], asked: TextSettings) -> list[str]:
    """The terms, once all numbers agree."""
    terms, idf, weights = weigh(spark, texts, asked)
    peers_terms, peers_idf, peers_weights = by_scikit_learn(texts, asked)
    assert terms == peers_terms
    np.testing.assert_allclose(idf, peers_idf, rtol=0, atol=1e-12)
    assert abs(weights - peers_weights).max() < 1e-6
    return terms


def test_weights_are_counts_times_idf_at_length_one(spark: SparkSession) -> None:
    terms, idf, weights = weigh(spark, ["The Matrix", "the matrix reloaded, the Matrix", None, "x"], settings())
    assert terms == ["matrix", "reloaded", "the"]
    twice, once = math.log(5 / 3) + 1, math.log(5 / 2) + 1
    assert idf == pytest.approx([twice, once, twice])
    length = math.sqrt((2 * twice) ** 2 + once**2 + (2 * twice) ** 2)
    assert weights.toarray()[1] == pytest.approx([2 * twice / length, once / length, 2 * twice / length])
    assert weights[2:].nnz == 0, "without a word of two letters there is no term"


@pytest.mark.parametrize(
    "asked",
    [
        settings(),
        settings(stop="english", ngrams=(1, 3)),
        settings(stop="english", ngrams=(2, 2), min_items=2),
        settings(ngrams=(1, 2), min_items=2, max_share=0.3),
    ],
    ids=["words", "one to three in a row", "two in a row", "few and many left out"],
)
def test_crafted_texts_weigh_as_by_scikit_learn(spark: SparkSession, asked: TextSettings) -> None:
    terms = agree(spark, CRAFTED, asked)
    assert ("the" in terms) == (asked == settings())
    assert ("zion oracle" in terms) == (asked.stop_words == "english"), "stop words go before words are put in a row"


def test_where_no_term_is_left_there_are_no_rows(spark: SparkSession) -> None:
    terms, _, weights = weigh(spark, CRAFTED, settings(min_items=8))
    assert (terms, weights.nnz) == ([], 0)


def test_real_overviews_weigh_as_by_scikit_learn(spark: SparkSession, real_data: Path) -> None:
    with (real_data / "movies-metadata" / "movies_metadata.csv").open(encoding="utf-8", newline="") as file:
        overviews = [row["overview"] for row in csv.DictReader(file)]
    assert len(agree(spark, overviews, settings(stop="english", ngrams=(1, 2), min_items=2, max_share=0.5))) > 12_000
