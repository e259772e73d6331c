"""Files of pairs as DataFrames, in the file's order: the Prize's, and MovieLens 100K's published folds."""

from __future__ import annotations

from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from nightreel.settings import load
from nightreel.sources.held_out import read_held_out, read_pairs

CUT = ["ingest.chunk_bytes=16", "ingest.partition_bytes=20", "ingest.max_line_bytes=100"]


def test_users_under_their_movies_with_and_without_dates(spark: SparkSession, tmp_path: Path) -> None:
    file = tmp_path / "qualifying.txt"
    file.write_bytes(b"8:\n1046323,2005-12-19\n30878\nwho?\n1:\r\n2147483647,1970-01-02\r\n5")
    read = read_pairs(spark, str(file), load("local", CUT).ingest)
    rows = read.pairs.select("position", "user_id", "item_id", F.unix_micros("rated_at")).orderBy("position").collect()
    assert [tuple(row) for row in rows] == [
        (3, 1_046_323, 8, 1_134_950_400_000_000),
        (22, 30_878, 8, None),
        (37, 2_147_483_647, 1, 86_400_000_000),
        (60, 5, 1, None),
    ]
    assert [(row.position, row.line) for row in read.rejects.collect()] == [(28, "who?")]


def test_the_pairs_of_a_published_fold(spark: SparkSession, tmp_path: Path) -> None:
    test = b"186\t267\t3\t891717742\n22\t377\t1\t878887116\nno pair\n22\t377\t1\t878887117\n"
    for name, data in {
        "u.data": b"196\t1\t3\t881250949\n",
        "u1.base": b"196\t1\t3\t881250949\n",
        "u1.test": test,
    }.items():
        (tmp_path / name).write_bytes(data)
    published = ["data.source=movielens", f'data.path="{tmp_path}"', 'split.strategy="published"', 'split.fold="u1"']
    fold = read_held_out(spark, load("local", published))
    assert fold is not None
    pairs = fold.pairs.orderBy("position").select("user_id", "item_id").collect()
    assert [tuple(row) for row in pairs] == [(186, 267), (22, 377), (22, 377)]
    (reject,) = fold.rejects.collect()
    assert (reject["line"], reject["position"]) == ("no pair", test.index(b"no pair"))
