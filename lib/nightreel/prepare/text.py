"""What is written about each item, as TF-IDF weights of its terms."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from nightreel.prepare.dense import dense_index
from nightreel.prepare.scratch import Scratch
from nightreel.prepare.stop_words import stop_words
from nightreel.prepare.terms import terms_of
from nightreel.settings import TextSettings


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
    occurring = terms_of(items, ngrams=settings.ngrams, stop_words=stop_words(settings.stop_words))
    counts = scratch.keep(occurring.groupBy("item_idx", "term").agg(F.count(F.lit(1)).alias("times")))
    vocabulary = _vocabulary(counts, settings, n_items=n_items, scratch=scratch)
    weighed = counts.join(vocabulary, "term", "inner").select(
        "item_idx", F.struct("term_idx", (F.col("times") * F.col("idf")).alias("weight")).alias("entry")
    )
    entries = weighed.groupBy("item_idx").agg(F.array_sort(F.collect_list("entry")).alias("entries"))
    squares = F.aggregate("entries", F.lit(0.0), lambda sum_, entry: sum_ + entry["weight"] * entry["weight"])
    measured = entries.select("item_idx", "entries", F.sqrt(squares).alias("length"))
    weights = F.transform("entries", lambda entry: (entry["weight"] / F.col("length")).cast("float"))
    terms = F.col("entries.term_idx").alias("terms")
    return ItemText(measured.select("item_idx", terms, weights.alias("weights")), vocabulary)


def _vocabulary(counts: DataFrame, settings: TextSettings, *, n_items: int, scratch: Scratch) -> DataFrame:
    """Grain term of neither too few nor too many items; columns term_idx, term, idf."""
    of_term = counts.groupBy("term").agg(F.count(F.lit(1)).alias("with_term"))
    wanted = of_term.where(F.col("with_term").between(settings.min_items, int(settings.max_share * n_items)))
    numbered, _ = dense_index(scratch.keep(wanted), key="term", index="term_idx")
    idf = F.log((F.lit(1.0) + n_items) / (F.lit(1.0) + F.col("with_term"))) + 1
    return numbered.select("term_idx", "term", idf.alias("idf"))
