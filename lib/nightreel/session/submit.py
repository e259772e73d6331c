"""The arguments that spark-submit.sh passes to spark-submit.

python -m nightreel.session.submit --env local --home . --cache build [--more ARGUMENTS] [--check-java]
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.resources.abc import Traversable
from pathlib import Path

from nightreel.errors import ConfigurationError, NightreelError
from nightreel.session.bundle import bundle
from nightreel.session.java import require_java
from nightreel.settings.layers import conf_folder


@contextmanager
def environment(temporary: Mapping[str, str]) -> Iterator[None]:
    """Set the variables while the block runs; afterwards they are as before."""
    before = {name: os.environ.get(name) for name in temporary}
    os.environ.update(temporary)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def python_path() -> str:
    """A PYTHONPATH by which a fresh process finds this library, installed or not."""
    library = str(Path(__file__).parents[2])
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    return os.pathsep.join(paths if library in paths else [library, *paths])


_GIB = 1 << 30
_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def read_properties(env: str) -> dict[str, str]:
    """conf/spark/<env>.conf: a property and its value a line, `#` for comments.

    On one machine (a local master) spark.driver.memory, where the file leaves it open, is two fifths of the
    machine's memory.

    Raises
    ------
    ConfigurationError : there is no such file, or a line is not `spark.name value`
    """
    folder = conf_folder() / "spark"
    known = sorted(file.name.removesuffix(".conf") for file in folder.iterdir() if file.name.endswith(".conf"))
    if env not in known:
        raise ConfigurationError(f"--env {env}: there is no conf/spark/{env}.conf; known: {', '.join(known)}")
    properties = dict(_property(line, env) for line in _lines(folder / f"{env}.conf"))
    if is_local(properties):
        properties.setdefault("spark.driver.memory", driver_memory(machine_memory()))
    return properties


def is_local(properties: dict[str, str]) -> bool:
    """Whether everything runs in the driver's process."""
    return re.fullmatch(r"local(\[.*\])?", properties.get("spark.master", "")) is not None


def driver_memory(machine: int) -> str:
    """Two fifths of the machine's bytes, in whole GiB, 1 to 16; Python and the page cache need the rest."""
    return f"{min(max(machine * 2 // 5 // _GIB, 1), 16)}g"


def machine_memory() -> int:
    """Bytes this process may use: the machine's, or the container's limit where that is lower."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limits = [file.read_text(encoding="ascii").strip() for file in _CGROUP_LIMITS if file.is_file()]
    return min([machine, *(int(limit) for limit in limits if limit.isdigit())])


def _lines(file: Traversable) -> list[str]:
    lines = (line.strip() for line in file.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _property(line: str, env: str) -> tuple[str, str]:
    """Java's rule: the name ends at the first blank, `=` or `:`."""
    parts = re.fullmatch(r"(spark\.[^\s=:]+)(?:\s*[=:]\s*|\s+)(?![=:])(\S.*)", line)
    if parts is None:
        raise ConfigurationError(f"conf/spark/{env}.conf: {line!r}: must be `spark.name value`")
    return parts.group(1), parts.group(2)


def arguments(env: str, *, home: Path, cache: Path, more: str) -> list[str]:
    """What stands between `spark-submit` and the job's file.

    The library goes along as a zip. Spark puts it on the path of its own Python workers; processes that those start
    (torchrun's children) find it by PYTHONPATH: in an executor's working directory, or where it lies here.

    Parameters
    ----------
    home : the checkout
    cache : where the zip is kept
    more : SPARK_ARGS as a shell would write them; they come last and so decide

    Raises
    ------
    ConfigurationError : an unknown environment, or SPARK_ARGS with an open quote
    """
    properties = read_properties(env)
    library = bundle(home, cache)
    given = ["--properties-file", str(home / "conf" / "spark" / f"{env}.conf")]
    if is_local(properties):
        given += ["--conf", f"spark.driver.memory={properties['spark.driver.memory']}"]
    given += ["--py-files", library.as_uri(), "--conf", f"spark.executorEnv.PYTHONPATH={library.name}:{library}"]
    return given + _split(more)


def _split(more: str) -> list[str]:
    try:
        return shlex.split(more)
    except ValueError as error:
        raise ConfigurationError(f"SPARK_ARGS = {more!r}: {str(error).lower()}") from None


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--env", required=True)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--more", default="")
    parser.add_argument("--check-java", action="store_true")
    asked = parser.parse_args(argv)
    try:
        if asked.check_java:
            require_java()
        words = arguments(asked.env, home=asked.home.resolve(), cache=asked.cache.resolve(), more=asked.more)
    except NightreelError as error:
        print(f"spark-submit.sh: {error}", file=sys.stderr)
        return error.exit_code
    print(shlex.join(words))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
