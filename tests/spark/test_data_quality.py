"""What an ingest says of the data it read."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from nightreel.settings import load
from nightreel.sources import DataQuality, IngestReport, ingest, keep_quality, measure
from nightreel.sources.quality import describe
from nightreel.tables.tables import Tables

NOW = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
DUMP = """1:
10,3,2005-09-06
11,5,2005-05-13
10,4,2005-09-07
2:
10,4.5,2001-10-19
oh
3:
12,5,2005-01-01
"""


def test_sizes_scale_dates_repeats_and_gaps(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "combined_data_1.txt").write_text(DUMP)
    (tmp_path / "movie_titles.csv").write_text("1,2003,Dinosaur Planet\n3,1999,11:14\n")
    settings = load("local", [f"data.path={tmp_path}", f"tables.root={tmp_path}/t", "ingest.max_reject_share=0.5"])
    tables = Tables(spark, settings.tables)
    quality = measure(tables, ingest(tables, settings, ingested_at=NOW))
    assert quality == DataQuality(
        ratings=5,
        users=3,
        items=3,
        repeated=1,
        without_title=1,
        rated={"3": 1, "4": 1, "4.5": 1, "5": 2},
        first=datetime(2001, 10, 19, tzinfo=UTC),
        last=datetime(2005, 9, 7, tzinfo=UTC),
        rejected={"neither a header nor a row of this file": pytest.approx(1 / 8)},
    )
    assert quality.density == pytest.approx(4 / 9)
    assert quality.lines()[1] == "ratings by value: 3: 20.0%, 4: 20.0%, 4.5: 20.0%, 5: 40.0%"
    later = datetime(2026, 1, 3, tzinfo=UTC)
    for moment in (NOW, NOW, later):
        keep_quality(tables, quality, ingested_at=moment)
    kept = tables.read("bronze_quality")
    assert kept.where("measure = 'rated' AND of = '5'").count() == 2, "one a time of ingest"
    assert kept.select("ingested_at").distinct().count() == 2


def test_a_scale_of_many_values_is_shown_in_ranges_and_no_ratings_are_no_error(spark: SparkSession) -> None:
    report = IngestReport(0, 0, 0, 0, 0, 0, 0, rejects={}, kept_without={})
    items = spark.createDataFrame([], "item_id bigint, title string")
    columns = "user_id bigint, item_id bigint, rating float, rated_at timestamp"
    ratings = spark.createDataFrame([(1, user, float(user), NOW) for user in range(1, 101)], columns)
    rated = describe(ratings, items, report).rated
    assert len(rated) == 20
    assert sum(rated.values()) == 100
    assert next(iter(rated.items())) == ("1 to 5.95", 5)
    nothing = describe(spark.createDataFrame([], columns), items, report)
    assert (nothing.ratings, nothing.users, nothing.density, nothing.rated, nothing.first) == (0, 0, 0.0, {}, None)
    assert nothing.lines() == ["0.00% of all pairs of the 0 users and 0 items are rated"]
