"""TF-IDF of real films' texts: terms and seconds, against scikit-learn's TfidfVectorizer on the same texts.

Title, overview and genres of each film are its text. Seconds are the median of the rounds after one to warm up, for
Spark with all rows of both tables computed; the largest difference is that of any weight.

    PYTHONPATH=lib .venv/bin/python bench/item_text.py --data ../shared/data/movies-metadata --rounds 3 --copies 1 15
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from statistics import median

import numpy as np
from pyspark.sql import DataFrame, SparkSession
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import TfidfVectorizer

from nightreel.prepare import Cache
from nightreel.prepare.text import item_text, stop_words
from nightreel.session import spark_session
from nightreel.settings import TextSettings, load

ASKED = {
    "words": [],
    "words without stop words": ["text.stop_words=english"],
    "one or two words without stop words": ["text.stop_words=english", "text.ngrams=[1, 2]"],
}


def texts_of(folder: Path) -> list[str]:
    with (folder / "movies_metadata.csv").open(encoding="utf-8", newline="") as file:
        return [f"{row['title']} {row['overview']} {row['genres']}" for row in csv.DictReader(file)]


def on_spark(items: DataFrame, settings: TextSettings, n_items: int) -> tuple[float, list[str], csr_array]:
    """Seconds, the terms, and the weights, (items, terms)."""
    begun = time.perf_counter()
    with Cache() as cache:
        text = item_text(items, settings, n_items=n_items, cache=cache)
        terms = [row["term"] for row in text.vocabulary.orderBy("term_idx").select("term").toLocalIterator()]
        rows = text.weights.orderBy("item_idx").toArrow()
    seconds = time.perf_counter() - begun
    lengths = np.zeros(n_items, np.int64)
    lengths[rows["item_idx"].to_numpy()] = rows["terms"].combine_chunks().value_lengths().to_numpy()
    entries = (rows[name].combine_chunks().flatten().to_numpy() for name in ("weights", "terms"))
    weights, places = entries
    return seconds, terms, csr_array((weights, places, np.append(0, lengths.cumsum())), shape=(n_items, len(terms)))


def by_scikit_learn(texts: Sequence[str], settings: TextSettings) -> tuple[float, list[str], csr_array]:
    peer = TfidfVectorizer(
        stop_words=stop_words(settings.stop_words) or None,
        ngram_range=settings.ngrams,
        min_df=settings.min_items,
        max_df=settings.max_share,
    )
    begun = time.perf_counter()
    weights = peer.fit_transform(texts)
    return time.perf_counter() - begun, list(peer.get_feature_names_out()), csr_array(weights)


def measure(spark: SparkSession, texts: Sequence[str], *, rounds: int) -> None:
    items = spark.createDataFrame(list(enumerate(texts)), "item_idx int, text string").persist()
    for name, overrides in ASKED.items():
        settings = load("local", overrides).text
        ours = [on_spark(items, settings, len(texts)) for _ in range(rounds + 1)]
        theirs = [by_scikit_learn(texts, settings) for _ in range(rounds + 1)]
        (_, terms, weights), (_, peers_terms, peers_weights) = ours[-1], theirs[-1]
        if terms != peers_terms:
            raise SystemExit(f"{name}: the terms differ: {sorted({*terms} ^ {*peers_terms})[:10]}")
        seconds = [median(one[0] for one in measured[1:]) for measured in (ours, theirs)]
        difference = abs(weights - peers_weights).max()
        print(f"| {len(texts):,} | {name} | {len(terms):,} | {seconds[0]:.1f} | {seconds[1]:.1f} | {difference:.0e} |")
    items.unpersist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder of movies_metadata.csv")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--copies", type=int, nargs="+", default=[1], help="how often the films are repeated")
    arguments = parser.parse_args()
    texts = texts_of(arguments.data)
    with tempfile.TemporaryDirectory() as name:
        spark = spark_session.start(checkpoints=f"{name}/checkpoints", spark__sql__shuffle__partitions="2")
        print("| films | terms are | terms | nightreel, s | scikit-learn, s | largest difference |")
        print("|---|---|---|---|---|---|")
        for copies in arguments.copies:
            measure(spark, list(chain.from_iterable([texts] * copies)), rounds=arguments.rounds)
        spark.stop()


if __name__ == "__main__":
    main()
