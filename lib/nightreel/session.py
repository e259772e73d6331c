"""The Spark session: Delta on, the environment's configuration, the library's own defaults."""

from __future__ import annotations

import os
import sys
from importlib.resources.abc import Traversable

import pyspark
from pyspark.sql import SparkSession

from nightreel.errors import ConfigurationError
from nightreel.settings.layers import conf_folder


def start(env: str = "local", *, checkpoints: str, remote: str | None = None, **overrides: str) -> SparkSession:
    """The session of this process: the running one where there is one, else a new one.

    Under spark-submit, and on Databricks, Spark's configuration came with the launch and only what is missing is
    added; started by hand (a notebook, a test, `python jobs/...`) conf/spark/<env>.conf is read here.

    Parameters
    ----------
    env : names conf/spark/<env>.conf
    checkpoints : a folder every executor reaches, where ALS cuts its lineage
    remote : a Spark Connect address, or local[N] for a server in this machine
    overrides : Spark properties, dots written as double underscores (`spark__ui__enabled="true"`)
    """
    properties = {"spark.checkpoint.dir": checkpoints}
    if not _launched_by_spark():
        properties |= read_properties(env)
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        if not _delta_is_installed():
            properties["spark.jars.packages"] = delta_package()
    properties |= {name.replace("__", "."): value for name, value in overrides.items()}
    builder = SparkSession.builder.appName("nightreel")
    if remote is not None:
        properties = {name: value for name, value in properties.items() if name != "spark.master"}
        builder = builder.remote(remote)
    for name, value in properties.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def read_properties(env: str) -> dict[str, str]:
    """conf/spark/<env>.conf: a property and its value a line, `#` for comments.

    Raises
    ------
    ConfigurationError : the file is missing or a line is not `name value`
    """
    file = conf_folder() / "spark" / f"{env}.conf"
    if not file.is_file():
        raise ConfigurationError(f"conf/spark/{env}.conf: no such file, and --env {env} needs it")
    return dict(_property(line, env) for line in _lines(file))


def delta_package() -> str:
    """The Maven coordinate of the Delta that pairs with this Spark."""
    spark = ".".join(pyspark.__version__.split(".")[:2])
    return f"io.delta:delta-spark_{spark}_2.13:4.4.0"


def _lines(file: Traversable) -> list[str]:
    lines = (line.strip() for line in file.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _property(line: str, env: str) -> tuple[str, str]:
    name, _, value = line.replace("=", " ", 1).partition(" ") if " " not in line else line.partition(" ")
    if not name.startswith("spark.") or not value.strip():
        raise ConfigurationError(f"conf/spark/{env}.conf: {line!r}: must be `spark.name value`")
    return name, value.strip()


def _launched_by_spark() -> bool:
    """spark-submit and the shells hand their JVM to Python through this variable of Spark's own protocol."""
    return "PYSPARK_GATEWAY_PORT" in os.environ or "DATABRICKS_RUNTIME_VERSION" in os.environ


def _delta_is_installed() -> bool:
    from pathlib import Path

    return any((Path(pyspark.__file__).parent / "jars").glob("*delta-spark*.jar"))
