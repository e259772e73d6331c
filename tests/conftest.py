"""What all tests share: one Spark session, and the real files where they are present."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from nightreel.session import spark_session

# Several processes on few cores: threads that wait for one another spin, and a step takes many times as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")

QUICK_JVM = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=512m -XX:+UseSerialGC"
"""Many small queries: compiling each well costs more than it brings. Without room for all the code that Spark generates
the JVM throws compiled code away and ends up interpreting. A collector of one thread leaves the second core to the
other test process."""

QUICK_QUERIES = {
    "spark.default.parallelism": "2",
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.buffer.pageSize": "1m",
}
"""Few rows: compiling Java for a query takes longer than interpreting it, and a broadcast of ten rows takes a page, by
default of 32 MB, so that unions of many joins ran out of memory. Spark keeps its own settings where a test starts it as
a user does, over Spark Connect and by spark-submit.sh."""


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    folder = tmp_path_factory.mktemp("spark")
    started = spark_session.start(
        checkpoints=str(folder / "checkpoints"),
        spark__master="local[2]",
        spark__driver__memory="3g",
        spark__driver__extraJavaOptions=QUICK_JVM,
        spark__sql__warehouse__dir=str(folder / "warehouse"),
        **{name.replace(".", "__"): value for name, value in QUICK_QUERIES.items()},
    )
    yield started
    started.stop()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Real rating files, never part of the checkout: ../shared/data, or the folder NIGHTREEL_REAL_DATA names."""
    named = os.environ.get("NIGHTREEL_REAL_DATA")
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; name its folder in NIGHTREEL_REAL_DATA")
    return folder
