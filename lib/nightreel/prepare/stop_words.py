"""Words that say nothing about an item."""

from __future__ import annotations

import re

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
