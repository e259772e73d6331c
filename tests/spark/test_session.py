"""A session that runs already is taken as it is, but for what the tables' meaning rests on."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from nightreel.session import spark_session


def test_the_running_session_is_taken(spark: SparkSession, tmp_path: Path) -> None:
    assert spark_session.start(checkpoints=str(tmp_path), spark__sql__shuffle__partitions="77") is spark
    assert spark.conf.get("spark.sql.shuffle.partitions") == "2"


def test_another_time_zone_is_set_back(spark: SparkSession, tmp_path: Path) -> None:
    spark.conf.set("spark.sql.session.timeZone", "Asia/Seoul")
    spark_session.start(checkpoints=str(tmp_path))
    assert spark.conf.get("spark.sql.session.timeZone") == "UTC"


def test_sparks_own_words_go_to_the_log(spark: SparkSession, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(Exception, match="DIVIDE_BY_ZERO"):
        spark.sql("SELECT 1 / id FROM range(1)").collect()
    assert capfd.readouterr().err == ""
    assert (spark_session.log_folder() / "spark.log").stat().st_size > 0
