"""Small files of records as a DataFrame: which columns, which rejects, and what a damaged file leaves."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from nightreel.sources.files import RawFile
from nightreel.sources.records import Dialect, RecordReason, read_records, survey_of
from nightreel.sources.source import UNREADABLE

CSV = Dialect(",", quoted=True, header=True)
MOVIES = b'movieId,title,genres\r\n1,"Heat, or ""Not""",Crime\r\n2,Short\r\nx,Casino,Crime'
LINKS = b"tmdb,movieId\n5,3\n"


def test_files_are_read_each_by_its_own_header_and_their_lines_accounted_for(
    spark: SparkSession, tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "movies.zip", "w") as archive:
        archive.writestr("ml/movies.csv", MOVIES)
    (tmp_path / "links.csv.gz").write_bytes(gzip.compress(LINKS))
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(LINKS)[:-9])
    paths = {
        4: f"zip://ml/movies.csv::{tmp_path}/movies.zip",
        7: f"{tmp_path}/links.csv.gz",
        9: f"{tmp_path}/cut.csv.gz",
    }
    files = {file_id: RawFile(path, 0, None) for file_id, path in paths.items()}
    optional = ["title", "tmdb"]
    records = read_records(spark, files, CSV, ["movieId", *optional], optional=optional, max_record_bytes=100)
    bad_id = F.col("reason").isNull() & ~F.col("movieId").rlike("^[0-9]+$")
    records = records.withColumn("reason", F.when(bad_id, "no number").otherwise(F.col("reason"))).persist()
    good = records.where("reason IS NULL").orderBy("file_id").collect()
    assert [tuple(row) for row in good] == [
        (4, 22, '1,"Heat, or ""Not""",Crime', None, "1", 'Heat, or "Not"', None),
        (7, 13, "5,3", None, "3", None, "5"),
        (9, 13, "5,3", None, "3", None, "5"),
    ]
    told = {(row.file_id, row.position): row for row in survey_of(records).collect()}
    assert told[4, 50] == Row(4, 50, "2,Short", RecordReason.FIELDS, 1)
    assert told[4, 59] == Row(4, 59, "x,Casino,Crime", "no number", 1)
    assert told[4, None] == Row(4, None, None, None, 1)
    assert told[9, -1].reason == UNREADABLE and len(told) == 6
    records.unpersist()


def test_no_files_are_no_records(spark: SparkSession) -> None:
    none = read_records(spark, {}, CSV, ["movieId", "odd `name`"], max_record_bytes=100)
    assert none.columns == ["file_id", "position", "line", "reason", "movieId", "odd `name`"]
    assert survey_of(none).count() == 0
