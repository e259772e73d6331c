"""What is written about each item, as TF-IDF weights of its words."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from nightreel.prepare.dense import dense_index
from nightreel.prepare.scratch import Scratch
from nightreel.settings import TextSettings

_WORD = r"(?U)\b\w\w+\b"


@dataclass(frozen=True)
class ItemText:
    """Terms are numbered from 0 in the order of their text.

    weights : grain item with a term; columns item_idx int, terms array<int> (ascending), weights array<float>, of
        length 1 together
    vocabulary : grain term; columns term_idx int, term string, idf double
    """

    weights: DataFrame
    vocabulary: DataFrame


def item_text(items: DataFrame, settings: TextSettings, *, scratch: Scratch) -> ItemText:
    """Words of title and genres, weighed by how often the item and how few others have them.

    A word is two letters or digits and more, in lower case. Its weight is its count in the item times
    ln((1 + items) / (1 + items with the word)) + 1, divided by the length of all of the item's weights: what
    scikit-learn's TfidfVectorizer computes by default.

    Parameters
    ----------
    items : grain item; columns item_idx int, title string, genres array<string>, both nullable
    settings : which words count
    scratch : holds the counts
    """
    total = items.count()
    said = F.concat_ws(" ", "title", "genres")
    words = items.select(
        "item_idx", F.explode(F.regexp_extract_all(F.lower(said), F.lit(_WORD), F.lit(0))).alias("term")
    )
    counts = scratch.keep(words.groupBy("item_idx", "term").agg(F.count(F.lit(1)).alias("times")))
    of_term = counts.groupBy("term").agg(F.count(F.lit(1)).alias("with_term"))
    wanted = of_term.where(F.col("with_term").between(settings.min_items, int(settings.max_share * total)))
    numbered, _ = dense_index(scratch.keep(wanted), key="term", index="term_idx")
    idf = F.log((F.lit(1.0) + total) / (F.lit(1.0) + F.col("with_term"))) + 1
    vocabulary = numbered.select("term_idx", "term", idf.alias("idf"))
    weighed = counts.join(vocabulary, "term", "inner").select(
        "item_idx", F.struct("term_idx", (F.col("times") * F.col("idf")).alias("weight")).alias("entry")
    )
    entries = weighed.groupBy("item_idx").agg(F.array_sort(F.collect_list("entry")).alias("entries"))
    squares = F.aggregate("entries", F.lit(0.0), lambda sum_, entry: sum_ + entry["weight"] * entry["weight"])
    length = F.sqrt(squares)
    weights = F.transform("entries", lambda entry: (entry["weight"] / length).cast("float"))
    return ItemText(
        entries.select("item_idx", F.col("entries.term_idx").alias("terms"), weights.alias("weights")), vocabulary
    )
