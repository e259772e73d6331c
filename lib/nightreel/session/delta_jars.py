"""Delta's jars, put among Spark's own once, so that every later session has Delta without the network.

python -m nightreel.session.delta_jars [--repository URL]
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pyspark

from nightreel.errors import NightreelError
from nightreel.progress import log_folder
from nightreel.session.java import require_java

DELTA_VERSION = "4.4.0"
_OWN = ("io.delta_", "io.unitycatalog_")
"""What Delta brings of its own; the rest that Ivy resolves, Spark has already and in other versions."""
_EXCLUDED = "org.apache.hadoop:hadoop-client-runtime,org.apache.hadoop:hadoop-client-api"
_TIMEOUTS = "-Dsun.net.client.defaultConnectTimeout=20000 -Dsun.net.client.defaultReadTimeout=60000"
_FETCH_SECONDS = 900


def delta_package() -> str:
    """The Maven coordinate of the Delta that pairs with this Spark."""
    return f"io.delta:{_artifact()}:{DELTA_VERSION}"


def installed(jars: Path | None = None) -> bool:
    """Whether Spark finds some Delta among its own jars."""
    return any((jars or jars_folder()).glob("*delta-spark_*.jar"))


def jars_folder() -> Path:
    """Where the Spark that Python starts has its jars."""
    home = os.environ.get("SPARK_HOME")
    return (Path(home) if home else Path(pyspark.__file__).parent) / "jars"


def install(*, repository: str = "", jars: Path | None = None) -> bool:
    """Fetch the jars unless they are there; False if they were.

    Other versions of them are removed. Delta's main jar is put in place last and in one step, so that an
    interrupted run is seen as not done.

    Parameters
    ----------
    repository : a Maven repository to ask before Maven Central
    jars : Spark's jars; the default is the folder of the Spark that Python starts

    Raises
    ------
    NightreelError : no Java, no network, or the folder cannot be written; the noise is in logs/delta-jars.log
    """
    folder = jars or jars_folder()
    main = f"io.delta_{_artifact()}-{DELTA_VERSION}.jar"
    if (folder / main).is_file():
        return False
    require_java()
    print(f"Fetching Delta {DELTA_VERSION} for Spark {pyspark.__version__} (once) ...", file=sys.stderr)
    if not os.access(folder, os.W_OK):
        raise NightreelError(f"{folder}: cannot be written, so Delta's jars cannot be put there")
    with tempfile.TemporaryDirectory(prefix="nightreel-ivy-") as ivy:
        fetched = _fetch(Path(ivy), repository)
        if main not in {jar.name for jar in fetched}:
            raise NightreelError(f"{delta_package()} resolved without {main}; details in {_log()}")
        _put(fetched, folder, main)
    return True


def _artifact() -> str:
    return f"delta-spark_{'.'.join(pyspark.__version__.split('.')[:2])}_2.13"


def _fetch(ivy: Path, repository: str) -> list[Path]:
    program = ivy / "nothing.py"
    program.write_text("", encoding="utf-8")
    command = [str(jars_folder().parent / "bin" / "spark-submit"), "--packages", delta_package()]
    command += ["--exclude-packages", _EXCLUDED, "--conf", f"spark.jars.ivy={ivy}"]
    command += ["--repositories", repository] if repository else []
    with _log().open("w+", encoding="utf-8", errors="replace") as log:
        try:
            rc = subprocess.run(
                [*command, str(program)],
                stdout=log,
                stderr=log,
                env=_environment(),
                check=False,
                timeout=_FETCH_SECONDS,
            ).returncode
        except subprocess.TimeoutExpired:
            raise NightreelError(_refusal(f"nothing came for {_FETCH_SECONDS} s")) from None
        log.seek(0)
        said = log.read()
    if rc != 0:
        raise NightreelError(_refusal(_reason(said)))
    return sorted(jar for jar in (ivy / "jars").glob("*.jar") if jar.name.startswith(_OWN))


def _environment() -> Mapping[str, str]:
    options = f"{_TIMEOUTS} {os.environ.get('SPARK_SUBMIT_OPTS', '')}"
    return {
        **os.environ,
        "SPARK_HOME": str(jars_folder().parent),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "SPARK_SUBMIT_OPTS": options.strip(),
    }


def _put(fetched: list[Path], folder: Path, main: str) -> None:
    for jar in sorted(fetched, key=lambda jar: jar.name == main):
        unfinished = folder / f".{jar.name}.{os.getpid()}"
        shutil.copyfile(jar, unfinished)
        unfinished.replace(folder / jar.name)
    wanted = {jar.name for jar in fetched}
    for jar in folder.glob("*.jar"):
        if jar.name.startswith(_OWN) and jar.name not in wanted:
            jar.unlink()


def _refusal(reason: str) -> str:
    return f"Delta's jars ({delta_package()}) could not be fetched: {reason}; details in {_log()}"


def _reason(said: str) -> str:
    if re.search(
        r"Host repo1\.maven\.org not found|UnknownHost|Connection refused|timed out|Network is unreachable", said
    ):
        return "Maven Central cannot be reached: is there a network? (a proxy goes into SPARK_SUBMIT_OPTS)"
    reasons = [line.strip() for line in said.splitlines() if "Exception" in line or "UNRESOLVED" in line]
    return reasons[0][:200] if reasons else "spark-submit ended with an error"


def _log() -> Path:
    return log_folder() / "delta-jars.log"


def main() -> None:
    parser = argparse.ArgumentParser(description="Fetch Delta's jars into Spark's own, once.")
    parser.add_argument("--repository", default="", metavar="URL", help="a Maven repository to ask first")
    arguments = parser.parse_args()
    try:
        install(repository=arguments.repository)
    except (NightreelError, OSError) as error:
        sys.exit(f"nightreel: {error}")


if __name__ == "__main__":
    main()
