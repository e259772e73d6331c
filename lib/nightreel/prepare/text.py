"""TF-IDF weights of the terms in the items' texts.

The formulas are those of scikit-learn's TfidfVectorizer, written for Spark because the vectorizer needs all texts and
the whole vocabulary in the driver's memory.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from nightreel.prepare.cache import Cache
from nightreel.prepare.dense import dense_index
from nightreel.settings import TextSettings

_WORD = re.compile(r"\b\w\w+\b")
_SPARK_WORD = r"[\p{L}\p{N}_]{2,}"
"""The same in Java's syntax."""
_BROADCAST_TERMS = 200_000  # some 10 MB


class ItemText(NamedTuple):
    """Weights of terms; term_idx ascends from 0 with the term.

    weights : grain item with a term; columns item_idx int, terms array<int> (ascending), weights array<float>, of
        Euclidean length 1
    vocabulary : grain term; columns term_idx int, term string, idf double
    """

    weights: DataFrame
    vocabulary: DataFrame


def item_text(items: DataFrame, settings: TextSettings, *, n_items: int, cache: Cache) -> ItemText:
    """TF-IDF weights of the items' texts, as scikit-learn's TfidfVectorizer computes them by default.

    weight = count in the item * idf, divided by the Euclidean length of the item's weights;
    idf = ln((1 + items) / (1 + items with the term)) + 1.

    Parameters
    ----------
    items : grain item; columns item_idx int, text string (nullable)
    n_items : number of items, including those without a text
    cache : persists the counts
    """
    # Partitioned by item from the start: the aggregations by item need no further shuffle.
    by_item = items.repartition("item_idx")
    occurring = _terms(by_item, ngrams=settings.ngrams, stop_words=stop_words(settings.stop_words))
    counts = cache.persist(occurring.groupBy("item_idx", "term").agg(F.count(F.lit(1)).alias("times")))
    vocabulary, n_terms = _vocabulary(counts, settings, n_items=n_items, cache=cache)
    idfs = F.broadcast(vocabulary) if n_terms <= _BROADCAST_TERMS else vocabulary
    weighted = counts.join(idfs, "term", "inner").select(
        "item_idx", F.struct("term_idx", (F.col("times") * F.col("idf")).alias("weight")).alias("entry")
    )
    entries = weighted.groupBy("item_idx").agg(F.array_sort(F.collect_list("entry")).alias("entries"))
    terms = F.col("entries.term_idx").alias("terms")
    return ItemText(entries.select("item_idx", terms, _normalised().alias("weights")), vocabulary)


def stop_words(language: str) -> list[str]:
    """Spark ML's list for the language, tokenised as the texts are (`don't` gives `don`); empty for "none".

    Needs a Spark session.
    """
    if language == "none":
        return []
    from pyspark.ml.feature import StopWordsRemover  # imports pandas, which matching's tasks do not need

    listed = StopWordsRemover.loadDefaultStopWords(language)
    return sorted({word for text in listed for word in _WORD.findall(text.lower())})


def _terms(items: DataFrame, *, ngrams: tuple[int, int], stop_words: Sequence[str]) -> DataFrame:
    """The terms of each text, one row for each occurrence.

    A word is at least two letters, figures or underscores, in lower case; a term is a run of words after the stop words
    are removed. These are the defaults of scikit-learn's CountVectorizer.

    Grain item x occurrence; columns item_idx int, term string.
    """
    words = F.regexp_extract_all(F.lower("text"), F.lit(_SPARK_WORD), F.lit(0))
    if stop_words:
        words = F.filter(words, lambda word: ~word.isin(*stop_words))
    tokens = items.where(F.col("text").isNotNull()).select("item_idx", words.alias("words"))
    smallest, largest = ngrams
    terms = F.concat(*(_ngrams(size) for size in range(smallest, largest + 1)))
    return tokens.select("item_idx", F.explode(terms).alias("term"))


def _ngrams(size: int) -> Column:
    if size == 1:
        return F.col("words")
    starts = F.sequence(F.lit(1), F.size("words") - size + 1)
    rows = F.transform(starts, lambda start: F.array_join(F.slice("words", start, size), " "))
    return F.when(F.size("words") >= size, rows).otherwise(F.array().cast("array<string>"))


def _normalised() -> Column:
    """The entries' weights divided by the square root of the sum of their squares."""
    return F.aggregate(
        "entries",
        F.lit(0.0),
        lambda squares, entry: squares + entry["weight"] * entry["weight"],
        lambda squares: F.transform("entries", lambda entry: (entry["weight"] / F.sqrt(squares)).cast("float")),
    )


def _vocabulary(counts: DataFrame, settings: TextSettings, *, n_items: int, cache: Cache) -> tuple[DataFrame, int]:
    """Grain term within the settings' bounds, columns term_idx, term, idf; and the number of terms."""
    of_term = counts.groupBy("term").agg(F.count(F.lit(1)).alias("with_term"))
    wanted = of_term.where(F.col("with_term").between(settings.min_items, int(settings.max_share * n_items)))
    numbered, n_terms = dense_index(cache.persist(wanted), key="term", index="term_idx")
    idf = F.log((F.lit(1.0) + n_items) / (F.lit(1.0) + F.col("with_term"))) + 1
    return cache.persist(numbered.select("term_idx", "term", idf.alias("idf"))), n_terms
