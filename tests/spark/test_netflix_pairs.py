"""probe.txt and qualifying.txt as DataFrames, in the file's order."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from nightreel.errors import ConfigurationError
from nightreel.settings import load
from nightreel.sources.held_out import read_pairs

SETTINGS = load("local", ["ingest.chunk_bytes=16", "ingest.partition_bytes=20", "ingest.max_line_bytes=100"]).ingest


def test_users_under_their_movies_with_and_without_dates(spark: SparkSession, tmp_path: Path) -> None:
    file = tmp_path / "qualifying.txt"
    file.write_bytes(b"8:\n1046323,2005-12-19\n30878\nwho?\n1:\r\n2147483647,1970-01-02\r\n5")
    read = read_pairs(spark, str(file), SETTINGS)
    rows = read.pairs.select("position", "user_id", "item_id", F.unix_micros("rated_at")).orderBy("position").collect()
    assert [tuple(row) for row in rows] == [
        (3, 1_046_323, 8, 1_134_950_400_000_000),
        (22, 30_878, 8, None),
        (37, 2_147_483_647, 1, 86_400_000_000),
        (60, 5, 1, None),
    ]
    assert [(row.position, row.line) for row in read.rejects.collect()] == [(28, "who?")]


def test_several_files_are_not_one_list_of_pairs(spark: SparkSession, tmp_path: Path) -> None:
    for name in ("probe.txt", "qualifying.txt"):
        (tmp_path / name).write_bytes(b"1:\n2\n")
    with pytest.raises(ConfigurationError, match=r"must be one file such as probe\.txt, found 2"):
        read_pairs(spark, str(tmp_path), SETTINGS)
