"""A text's terms: its words in order, and words in a row."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

_WORD = r"[\p{L}\p{N}_]{2,}"


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
    words = F.regexp_extract_all(F.lower("text"), F.lit(_WORD), F.lit(0))
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
