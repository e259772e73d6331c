"""What is written about each item, as TF-IDF weights of its terms."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from nightreel.prepare.dense import dense_index
from nightreel.prepare.scratch import Scratch
from nightreel.prepare.stop_words import stop_words
from nightreel.prepare.terms import terms_of
from nightreel.settings import TextSettings

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
