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
from pathlib import Path

import pyspark

from nightreel.errors import NightreelError
from nightreel.progress import log_folder
from nightreel.session.java import require_java
from nightreel.session.submit import environment

DELTA_VERSION = "4.4.0"
_OWN = ("io.delta_", "io.unitycatalog_")
"""What Delta brings of its own; the rest that Ivy resolves, Spark has already and in other versions."""
_EXCLUDED = "org.apache.hadoop:hadoop-client-runtime,org.apache.hadoop:hadoop-client-api"
_TIMEOUTS = "-Dsun.net.client.defaultConnectTimeout=20000 -Dsun.net.client.defaultReadTimeout=60000"
_FETCH_SECONDS = 900


def delta_package() -> str:
    """The Maven coordinate of the Delta that pairs with this Spark."""
    return f"io.delta:{_artifact()}:{DELTA_VERSION}"


def installed() -> bool:
    """Whether Spark finds some Delta among its own jars."""
    return any((_spark_home() / "jars").glob("*delta-spark_*.jar"))


def _spark_home() -> Path:
    """Of the Spark that Python starts."""
    return Path(os.environ.get("SPARK_HOME") or Path(pyspark.__file__).parent)


def install(*, repository: str = "") -> bool:
    """Fetch the jars unless they are there; False if they were.

    Other versions of them are removed. Delta's main jar is put in place last and in one step, so that an
    interrupted run is seen as not done.

    Parameters
    ----------
    repository : a Maven repository to ask before Maven Central

    Raises
    ------
    NightreelError : no Java, no network, or the folder cannot be written; the noise is in logs/delta-jars.log
    """
    folder = _spark_home() / "jars"
    main = f"io.delta_{_artifact()}-{DELTA_VERSION}.jar"
    if (folder / main).is_file():
        return False
    require_java()
    print(f"Fetching Delta {DELTA_VERSION} for Spark {pyspark.__version__} (once) ...", file=sys.stderr)
    if not os.access(folder, os.W_OK):
        raise NightreelError(f"{folder}: cannot be written, so Delta's jars cannot be put there")
    with tempfile.TemporaryDirectory(prefix="nightreel-ivy-") as ivy:
        _resolve(Path(ivy), repository)
        fetched = {jar.name: jar for jar in (Path(ivy) / "jars").glob("*.jar") if jar.name.startswith(_OWN)}
        if main not in fetched:
            raise NightreelError(f"{delta_package()} resolved without {main}; details in {_log()}")
        for name in sorted(fetched, key=main.__eq__):
            unfinished = folder / f".{name}.{os.getpid()}"
            shutil.copyfile(fetched[name], unfinished)
            unfinished.replace(folder / name)
    for jar in folder.glob("*.jar"):
        if jar.name.startswith(_OWN) and jar.name not in fetched:
            jar.unlink()
    return True


def _artifact() -> str:
    return f"delta-spark_{'.'.join(pyspark.__version__.split('.')[:2])}_2.13"


def _resolve(ivy: Path, repository: str) -> None:
    """Let spark-submit run an empty program with Delta's package, which Ivy puts into `ivy`/jars."""
    program = ivy / "nothing.py"
    program.write_text("", encoding="utf-8")
    command = [str(_spark_home() / "bin" / "spark-submit"), "--packages", delta_package()]
    command += ["--exclude-packages", _EXCLUDED, "--conf", f"spark.jars.ivy={ivy}"]
    command += ["--repositories", repository] if repository else []
    temporary = {
        "SPARK_HOME": str(_spark_home()),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "SPARK_SUBMIT_OPTS": f"{_TIMEOUTS} {os.environ.get('SPARK_SUBMIT_OPTS', '')}".strip(),
    }
    with environment(temporary), _log().open("w", encoding="utf-8") as log:
        try:
            subprocess.run([*command, str(program)], stdout=log, stderr=log, check=True, timeout=_FETCH_SECONDS)
            return
        except subprocess.TimeoutExpired:
            reason = f"nothing came for {_FETCH_SECONDS} s"
        except subprocess.CalledProcessError:
            reason = _reason(_log().read_text(encoding="utf-8", errors="replace"))
    raise NightreelError(f"Delta's jars ({delta_package()}) could not be fetched: {reason}; details in {_log()}")


def _reason(output: str) -> str:
    if re.search(r"Host \S+ not found|UnknownHost|Connection refused|timed out|Network is unreachable", output):
        return "Maven Central cannot be reached: is there a network? (a proxy goes into SPARK_SUBMIT_OPTS)"
    reasons = [line.strip() for line in output.splitlines() if "Exception" in line or "UNRESOLVED" in line]
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
