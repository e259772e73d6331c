"""The session: what is missing is one line, and the caller's environment is left as it was."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pyspark.errors import PySparkRuntimeError

from nightreel.errors import ConfigurationError, NightreelError
from nightreel.session import spark_session


@pytest.fixture
def by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No session yet, started neither by spark-submit nor by Databricks; logs go to the test's folder."""
    monkeypatch.setattr(spark_session.SparkSession, "getActiveSession", lambda: None)
    for name in ("PYSPARK_GATEWAY_PORT", "DATABRICKS_RUNTIME_VERSION", "PYSPARK_SUBMIT_ARGS", "SPARK_SUBMIT_OPTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYSPARK_PYTHON", "python3")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def complaint(by_hand: Path, env: str = "local") -> str:
    with pytest.raises(NightreelError) as caught:
        spark_session.start(env, checkpoints=str(by_hand))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_no_java(by_hand: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(by_hand))
    assert "no Java found" in complaint(by_hand)


def test_no_delta_and_no_network(by_hand: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    submit = by_hand / "spark" / "bin" / "spark-submit"
    submit.parent.mkdir(parents=True)
    (by_hand / "spark" / "jars").mkdir()
    submit.write_text("#!/bin/sh\necho 'Host repo1.maven.org not found.'\nexit 1\n", encoding="utf-8")
    submit.chmod(0o755)
    monkeypatch.setenv("SPARK_HOME", str(by_hand / "spark"))
    assert "Delta's jars" in complaint(by_hand)
    assert "is there a network?" in complaint(by_hand)


def test_an_unknown_environment(by_hand: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"--env moon: .*known: cluster, local"):
        spark_session.start("moon", checkpoints=str(by_hand))


def test_a_spark_that_does_not_start(by_hand: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its words are in the log, the telling one is in the error, and the environment is as it was."""
    seen: dict[str, str] = {}

    def launch(popen_kwargs: dict[str, object]) -> None:
        seen.update(os.environ)
        os.write(popen_kwargs["stderr"].fileno(), b"noise\nError: Could not create the Java Virtual Machine.\n")  # type: ignore[attr-defined]
        raise PySparkRuntimeError(errorClass="JAVA_GATEWAY_EXITED", messageParameters={})

    monkeypatch.setattr(spark_session, "launch_gateway", launch)
    before = dict(os.environ)
    log = by_hand / "logs" / "spark.log"
    log.parent.mkdir()
    log.write_text("Error: of an earlier day\n", encoding="utf-8")
    said = complaint(by_hand)
    assert said == f"Spark did not start: Error: Could not create the Java Virtual Machine. (details in {log})"
    assert dict(os.environ) == before
    assert f"spark.checkpoint.dir={by_hand}" in seen["PYSPARK_SUBMIT_ARGS"]
    assert "spark.master=local[*]" in seen["PYSPARK_SUBMIT_ARGS"]
    assert seen["PYSPARK_SUBMIT_ARGS"].endswith("pyspark-shell")
    assert str(Path(spark_session.__file__).parents[2]) in seen["PYTHONPATH"].split(os.pathsep)
    assert "log4j2.properties" in seen["SPARK_SUBMIT_OPTS"]
