"""The Spark session: Delta on, the environment's configuration, the library's own defaults."""

from __future__ import annotations

import logging
import os
import re
import shlex
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from pyspark import SparkContext
from pyspark.errors import PySparkRuntimeError
from pyspark.java_gateway import launch_gateway
from pyspark.logger import PySparkLogger
from pyspark.sql import SparkSession

from nightreel.errors import NightreelError
from nightreel.progress import log_folder
from nightreel.session import delta_jars
from nightreel.session.java import require_java
from nightreel.session.submit import environment, is_local, python_path, read_properties
from nightreel.settings.layers import conf_folder

SESSION_PROPERTIES = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    # No limit in bytes on an Arrow batch (the one in rows stays): Spark would measure the batch again at every row.
    "spark.sql.execution.arrow.maxBytesPerBatch": str(2**31 - 1),
}
"""The tables' contents depend on these: set in every session, also one that was already running."""


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

    Raises
    ------
    ConfigurationError : no conf/spark/<env>.conf
    NightreelError : Java or Delta's jars are missing and cannot be had, or Spark does not start
    """
    session = SparkSession.getActiveSession()
    if session is None:
        given = {name.replace("__", "."): value for name, value in overrides.items()}
        session = _new({"spark.checkpoint.dir": checkpoints} | given, env, remote)
    _set_properties(session, checkpoints)
    _log_to_file()
    return session


def _new(given: dict[str, str], env: str, remote: str | None) -> SparkSession:
    builder = SparkSession.builder.appName("nightreel")
    if remote is not None and not remote.startswith("local"):
        return builder.remote(remote).getOrCreate()
    if "PYSPARK_GATEWAY_PORT" in os.environ or "DATABRICKS_RUNTIME_VERSION" in os.environ:  # launched by Spark
        return builder.config(map={**given}).getOrCreate()
    require_java()
    if not delta_jars.installed():
        delta_jars.install()
    properties = read_properties(env) | given
    if remote is not None:
        properties["spark.master"] = remote
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    with environment(_launch_variables(properties)):
        _launch()
        return builder.getOrCreate() if remote is None else _connect_here(remote)


def _connect_here(master: str) -> SparkSession:
    """A Connect server in this process's JVM and its client, as pyspark makes for remote("local"), on a free port."""
    from pyspark.sql.connect.session import SparkSession as RemoteSession

    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    os.environ["SPARK_LOCAL_REMOTE"] = "1"
    RemoteSession._start_connect_server(master, {"spark.connect.grpc.binding.port": str(port)})
    os.environ["SPARK_CONNECT_MODE_ENABLED"] = "1"
    session = RemoteSession.builder.remote(f"sc://localhost:{port}").getOrCreate()
    return cast(SparkSession, session)


def _launch() -> None:
    """Start the JVM as pyspark would, but with its standard error in the log."""
    log = _log()
    with log.open("ab") as stderr:
        began = stderr.tell()
        try:
            gateway = launch_gateway(popen_kwargs={"stderr": stderr})  # type: ignore[no-untyped-call]
        except PySparkRuntimeError:
            raise NightreelError(f"Spark did not start: {_reason(log, began)} (details in {log})") from None
    SparkContext._ensure_initialized(gateway=gateway)


def _reason(log: Path, began: int) -> str:
    lines = log.read_bytes()[began:].decode(errors="replace").splitlines()
    reasons = [line for line in lines if line.startswith(("Error", "Exception in thread"))]
    return reasons[0][:300] if reasons else "its JVM ended at once"


def _launch_variables(properties: Mapping[str, str]) -> dict[str, str]:
    """The environment from which pyspark starts the JVM, and that JVM its Python workers.

    The properties go by PYSPARK_SUBMIT_ARGS and not through the builder: the builder would set each once more on a
    Connect session, which warns of every one that is fixed at the start.
    """
    words = [word for name, value in properties.items() for word in ("--conf", f"{name}={value}")]
    logging = f"'-Dlog4j2.configurationFile={conf_folder() / 'spark' / 'log4j2.properties'}' '-Dnightreel.log={_log()}'"
    return {
        "PYTHONPATH": python_path(),
        "PYSPARK_SUBMIT_ARGS": f"{shlex.join(words)} {os.environ.get('PYSPARK_SUBMIT_ARGS', 'pyspark-shell')}",
        "SPARK_SUBMIT_OPTS": f"{os.environ.get('SPARK_SUBMIT_OPTS', '')} {logging}".strip(),
    }


def _set_properties(session: SparkSession, checkpoints: str) -> None:
    for name, value in SESSION_PROPERTIES.items():
        if session.conf.get(name, None) != value:
            session.conf.set(name, value)
    if _is_classic(session) and session.sparkContext.getCheckpointDir() is None:
        session.sparkContext.setCheckpointDir(checkpoints)


def running() -> bool:
    """Whether this process has a session already, so that `start` would not make one."""
    return SparkSession.getActiveSession() is not None


def close(session: SparkSession) -> None:
    """Remove what checkpoints the session left; Spark itself forgets them when the process ends."""
    if not _is_classic(session) or (folder := session.sparkContext.getCheckpointDir()) is None:
        return
    file_system, configuration = _hadoop(session)
    place = file_system.Path(folder)
    files = place.getFileSystem(configuration)
    files.delete(place, True)
    parent = place.getParent()
    if files.exists(parent) and not files.listStatus(parent):
        files.delete(parent, False)


def tasks(session: SparkSession) -> tuple[int, int] | None:
    """(done, all) tasks of the running stages; None over Spark Connect, which does not report them."""
    if not _is_classic(session):
        return None
    tracker = session.sparkContext.statusTracker()
    stages = [info for stage in tracker.getActiveStageIds() if (info := tracker.getStageInfo(stage))]
    return sum(stage.numCompletedTasks for stage in stages), sum(stage.numTasks for stage in stages)


def writes_here(session: SparkSession) -> bool:
    """Whether Spark's files are this machine's: a classic session with a local master and local default storage."""
    if not _is_classic(session) or "DATABRICKS_RUNTIME_VERSION" in os.environ:
        return False
    if not is_local({"spark.master": session.conf.get("spark.master", "") or ""}):
        return False
    file_system, configuration = _hadoop(session)
    return str(file_system.FileSystem.getDefaultUri(configuration).getScheme()) == "file"


def _hadoop(session: SparkSession) -> tuple[Any, Any]:
    """Java's package of file systems and Spark's configuration of them."""
    context: Any = session.sparkContext
    return context._jvm.org.apache.hadoop.fs, context._jsc.hadoopConfiguration()


def local_path(root: str) -> Path | None:
    """The folder that a root of tables names on this machine; None for one with a scheme other than file:."""
    path = re.sub(r"^file:(//)?(?=/)", "", root)
    return None if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", path) else Path(path).absolute()


def _is_classic(session: SparkSession) -> bool:
    return not type(session).__module__.startswith("pyspark.sql.connect")


def _log_to_file() -> None:
    """pyspark prints every failed query as a line of JSON, even if its exception is caught; send that to the log."""
    for name in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
        logger = PySparkLogger.getLogger(name)
        logger.handlers.clear()
        logger.addHandler(logging.FileHandler(_log(), encoding="utf-8", delay=True))


def _log() -> Path:
    return log_folder() / "spark.log"
