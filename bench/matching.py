"""Which films the items of real datasets are matched to, by which rule, and how often rightly.

MovieLens is matched by its titles alone, and its links tell which matches are right; then by its links. For the other
datasets there is no such truth. With --misses also the wrong matches and items whose film is there and was not found.

    PYTHONPATH=lib .venv/bin/python bench/matching.py --data ../shared/data --misses 30
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from nightreel.prepare.matching import films, match
from nightreel.session import spark_session
from nightreel.settings import load
from nightreel.sources import ingest
from nightreel.tables import Tables

FOLDERS = {"movielens": "ml-latest-small", "netflix": "netflix", "kmrd": "kmrd-small"}
COLUMNS = ("item_id", "title", "year", "metadata_id", "matched_by", "true_id")


def bronze(spark: SparkSession, data: Path, source: str, root: Path) -> tuple[DataFrame, DataFrame]:
    """The dataset's items, and the films."""
    overrides = [
        f"data.source={source}",
        f"data.path={data / FOLDERS[source]}",
        f"metadata.path={data / 'movies-metadata'}",
        f"tables.root={root}",
        "ingest.max_reject_share=0.05",
    ]
    settings = load("local", overrides)
    tables = Tables(spark, settings.tables)
    ingest(tables, settings, ingested_at=datetime.now(UTC))
    return tables.read("bronze_items"), films(tables.read("bronze_metadata"), min_votes=0)


def matched(items: DataFrame, known: DataFrame, *, by_title: bool) -> Sequence[Row]:
    """Grain item; COLUMNS, true_id the film that the item's links name, if it is among those known."""
    asked = items
    if by_title:
        no_ids = {name: F.lit(None).cast(kind) for name, kind in items.dtypes if name in ("tmdb_id", "imdb_id")}
        asked = items.withColumns(no_ids)
    true = items.join(known.select(F.col("metadata_id").alias("tmdb_id")), "tmdb_id", "inner")
    true_ids = true.select("item_id", F.col("tmdb_id").alias("true_id"))
    told = items.select("item_id", "title", "year").join(match(asked, known), "item_id", "inner")
    return told.join(true_ids, "item_id", "left").select(*COLUMNS).collect()


def print_rates(rows: Sequence[Row], *, truth: bool) -> None:
    print("| rule, or reason for no match | items | share | right | precision |\n|---|---|---|---|---|")
    rates = Counter(row["matched_by"] for row in rows)
    films_found = {row["matched_by"] for row in rows if row["metadata_id"] is not None}
    right = Counter(row["matched_by"] for row in rows if row["metadata_id"] is not None and is_right(row))
    for name, count in sorted(rates.items(), key=lambda rate: (rate[0] not in films_found, -rate[1])):
        judged = f"{right[name]:,} | {right[name] / count:.2%}" if truth and name in films_found else " | "
        print(f"| {name} | {count:,} | {count / len(rows):.2%} | {judged} |")
    found = sum(rates[name] for name in films_found)
    print(f"\n{found:,} of {len(rows):,} items matched")
    if truth:
        there = sum(row["true_id"] is not None for row in rows)
        print(
            f"{right.total():,} of them rightly ({right.total() / found:.2%}); {there:,} items have their film in the"
        )
        print(f"metadata, so that {right.total() / there:.2%} of what can be found is found")


def is_right(row: Row) -> bool:
    return bool(row["metadata_id"] == row["true_id"])


def print_misses(rows: Sequence[Row], known: DataFrame, most: int) -> None:
    wrong = [row for row in rows if row["metadata_id"] is not None and not is_right(row)]
    missed = [row for row in rows if row["metadata_id"] is None and row["true_id"] is not None]
    shown = [("wrong", row, row["metadata_id"]) for row in wrong]
    shown += [("missed", row, row["true_id"]) for row in missed[:most]]
    ids = [metadata_id for _, _, metadata_id in shown]
    names = {row["metadata_id"]: row for row in known.where(F.col("metadata_id").isin(ids)).collect()}
    print(f"\n{len(wrong)} wrong, {len(missed)} missed, of which {min(most, len(missed))}:\n")
    for what, row, metadata_id in shown:
        film = names[metadata_id]
        told = f"{film['title']} / {film['original_title']} ({film['year']})"
        print(f"{what}: {row['title']} ({row['year']}) | {told} | {row['matched_by']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder of the datasets' folders")
    parser.add_argument("--misses", type=int, default=0, help="how many misses to print")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        spark = spark_session.start(checkpoints=f"{name}/checkpoints", spark__sql__shuffle__partitions="2")
        for source in FOLDERS:
            items, known = bronze(spark, arguments.data, source, Path(name) / "tables")
            known.persist()
            print(f"\n{source}: {known.count():,} films")
            for by_title in (True, False) if source == "movielens" else (True,):
                begun = time.perf_counter()
                rows = matched(items, known, by_title=by_title)
                print(f"\nby {'titles' if by_title else 'ids'}, {time.perf_counter() - begun:.1f} s\n")
                print_rates(rows, truth=source == "movielens")
                if source == "movielens" and by_title and arguments.misses:
                    print_misses(rows, known, arguments.misses)
        spark.stop()


if __name__ == "__main__":
    main()
