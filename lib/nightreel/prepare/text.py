"""What is written about each item, as TF-IDF weights of its terms."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from nightreel.prepare.dense import dense_index
from nightreel.prepare.scratch import Scratch
from nightreel.settings import TextSettings

_WORD = re.compile(r"\b\w\w+\b")


def stop_words(language: str) -> list[str]:
    """Spark ML's list for the language, as the words that texts are cut into: of `don't` it is `don`; none for "none".

    Needs a Spark session.
    """
    if language == "none":
        return []
    from pyspark.ml.feature import StopWordsRemover  # brings pandas, which a task that only needs this folder does not

    listed = StopWordsRemover.loadDefaultStopWords(language)
    return sorted({word for text in listed for word in _WORD.findall(text.lower())})


_WORD_terms = r"[\p{L}\p{N}_]{2,}"


def terms_of(items: DataFrame, *, ngrams: tuple[int, int], stop_words: Sequence[str]) -> DataFrame:
    """The terms of each text, as often as they occur.

    A word is two letters, figures or underscores and more, in lower case; stop words are left out before words are put
    in a row. This is how scikit-learn's CountVectorizer cuts a text by default.

    Parameters
    ----------
    items : grain item; columns item_idx int, text string (nullable)
    ngrams : how many words a term has, the fewest and the most

    Returns
    -------
    grain item x occurrence; columns item_idx, term string
    """
    words = F.regexp_extract_all(F.lower("text"), F.lit(_WORD_terms), F.lit(0))
    if stop_words:
        words = F.filter(words, lambda word: ~word.isin(*stop_words))
    cut = items.where(F.col("text").isNotNull()).select("item_idx", words.alias("words"))
    fewest, most = ngrams
    terms = F.concat(*(_in_a_row(size) for size in range(fewest, most + 1)))
    return cut.select("item_idx", F.explode(terms).alias("term"))


def _in_a_row(size: int) -> Column:
    if size == 1:
        return F.col("words")
    starts = F.sequence(F.lit(1), F.size("words") - size + 1)
    rows = F.transform(starts, lambda start: F.array_join(F.slice("words", start, size), " "))
    return F.when(F.size("words") >= size, rows).otherwise(F.array().cast("array<string>"))


_BROADCAST_TERMS = 200_000  # some 10 MB


@dataclass(frozen=True)
class ItemText:
    """Terms are numbered from 0 in the order of their text.

    weights : grain item with a term; columns item_idx int, terms array<int> (ascending), weights array<float>, of
        length 1 together
    vocabulary : grain term; columns term_idx int, term string, idf double
    """

    weights: DataFrame
    vocabulary: DataFrame


def item_text(items: DataFrame, settings: TextSettings, *, n_items: int, scratch: Scratch) -> ItemText:
    """The terms of the items' texts, weighed by how often the item and how few others have them.

    A term's weight is its count in the item times ln((1 + items) / (1 + items with the term)) + 1, divided by the
    length of all of the item's weights: what scikit-learn's TfidfVectorizer computes by default.

    Parameters
    ----------
    items : grain item; columns item_idx int, text string (nullable)
    settings : which terms count
    n_items : how many items there are, those without a text included
    scratch : holds the counts
    """
    # By item from the start: what is later gathered of an item already lies together.
    placed = items.repartition("item_idx")
    occurring = terms_of(placed, ngrams=settings.ngrams, stop_words=stop_words(settings.stop_words))
    counts = scratch.keep(occurring.groupBy("item_idx", "term").agg(F.count(F.lit(1)).alias("times")))
    vocabulary, n_terms = _vocabulary(counts, settings, n_items=n_items, scratch=scratch)
    weighing = F.broadcast(vocabulary) if n_terms <= _BROADCAST_TERMS else vocabulary
    weighed = counts.join(weighing, "term", "inner").select(
        "item_idx", F.struct("term_idx", (F.col("times") * F.col("idf")).alias("weight")).alias("entry")
    )
    entries = weighed.groupBy("item_idx").agg(F.array_sort(F.collect_list("entry")).alias("entries"))
    terms = F.col("entries.term_idx").alias("terms")
    return ItemText(entries.select("item_idx", terms, _at_length_one().alias("weights")), vocabulary)


def _at_length_one() -> Column:
    """The entries' weights divided by the square root of the sum of their squares."""
    return F.aggregate(
        "entries",
        F.lit(0.0),
        lambda squares, entry: squares + entry["weight"] * entry["weight"],
        lambda squares: F.transform("entries", lambda entry: (entry["weight"] / F.sqrt(squares)).cast("float")),
    )


def _vocabulary(counts: DataFrame, settings: TextSettings, *, n_items: int, scratch: Scratch) -> tuple[DataFrame, int]:
    """Grain term of neither too few nor too many items, columns term_idx, term, idf; and how many they are."""
    of_term = counts.groupBy("term").agg(F.count(F.lit(1)).alias("with_term"))
    wanted = of_term.where(F.col("with_term").between(settings.min_items, int(settings.max_share * n_items)))
    numbered, n_terms = dense_index(scratch.keep(wanted), key="term", index="term_idx")
    idf = F.log((F.lit(1.0) + n_items) / (F.lit(1.0) + F.col("with_term"))) + 1
    return scratch.keep(numbered.select("term_idx", "term", idf.alias("idf"))), n_terms
