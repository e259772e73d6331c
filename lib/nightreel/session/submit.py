"""The arguments that spark-submit.sh passes to spark-submit, among them the library as one zip for the executors.

python -m nightreel.session.submit --env local --home . --cache build [--more ARGUMENTS] [--check-java]
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shlex
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from nightreel.errors import ConfigurationError, NightreelError
from nightreel.session.java import require_java
from nightreel.settings.layers import conf_folder

_PROPERTY = r"(spark\.[^\s=:]+)(?:\s*[=:]\s*|\s+)(?![=:])(\S.*)"
"""Java's rule: the name ends at the first blank, `=` or `:`."""
_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
"""Of every file in the zip, so that equal content gives equal bytes."""


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


def read_properties(env: str) -> dict[str, str]:
    """conf/spark/<env>.conf: a property and its value a line, as Java reads them, `#` for comments.

    On one machine (a local master) spark.driver.memory, where the file leaves it open, is two fifths of the
    machine's memory.

    Raises
    ------
    ConfigurationError : there is no such file, or a line is not `spark.name value`
    """
    folder = conf_folder() / "spark"
    names = sorted(file.name.removesuffix(".conf") for file in folder.iterdir() if file.name.endswith(".conf"))
    if env not in names:
        raise ConfigurationError(f"--env {env}: there is no conf/spark/{env}.conf; known: {', '.join(names)}")
    properties = {}
    for line in map(str.strip, (folder / f"{env}.conf").read_text(encoding="utf-8").splitlines()):
        if not line or line.startswith("#"):
            continue
        parts = re.fullmatch(_PROPERTY, line)
        if parts is None:
            raise ConfigurationError(f"conf/spark/{env}.conf: {line!r}: must be `spark.name value`")
        properties[parts[1]] = parts[2]
    if is_local(properties):
        properties.setdefault("spark.driver.memory", driver_memory(machine_memory()))
    return properties


def is_local(properties: dict[str, str]) -> bool:
    """Whether everything runs in the driver's process."""
    return re.fullmatch(r"local(\[.*\])?", properties.get("spark.master", "")) is not None


def driver_memory(machine: int) -> str:
    """Two fifths of the machine's bytes, in whole GiB, 1 to 16; Python and the page cache need the rest."""
    return f"{min(max(machine * 2 // 5 // (1 << 30), 1), 16)}g"


def machine_memory() -> int:
    """Bytes this process may use: the machine's, or the container's limit where that is lower."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limits = [file.read_text(encoding="ascii").strip() for file in _CGROUP_LIMITS if file.is_file()]
    return min([machine, *(int(limit) for limit in limits if limit.isdigit())])


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
    try:
        return given + shlex.split(more)
    except ValueError as error:
        raise ConfigurationError(f"SPARK_ARGS = {more!r}: {str(error).lower()}") from None


def bundle(home: Path, cache: Path) -> Path:
    """The library and its configuration as one zip that executors can import, built unless `cache` has it.

    It holds nightreel/ with conf/ inside, as the wheel does, and is named for a hash of its content: two jobs of
    one state share a file, and an edit while a job runs does not reach that job.
    """
    members = {
        f"nightreel/{place}{file.relative_to(folder).as_posix()}": file.read_bytes()
        for place, folder in (("", home / "lib" / "nightreel"), ("conf/", home / "conf"))
        for file in folder.rglob("*")
        if file.is_file() and file.suffix != ".pyc"
    }
    digest = hashlib.sha256()
    for name in sorted(members):
        digest.update(f"{name}\0{len(members[name])}\0".encode() + members[name])
    target = cache / f"nightreel-{digest.hexdigest()[:12]}.zip"
    if not target.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_suffix(f".{os.getpid()}")
        with zipfile.ZipFile(unfinished, "w") as archive:
            for name in sorted(members):
                archive.writestr(zipfile.ZipInfo(name, _ZIP_TIME), members[name], zipfile.ZIP_DEFLATED)
        unfinished.replace(target)
    return target


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--env", required=True)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--more", default="")
    parser.add_argument("--check-java", action="store_true")
    parsed = parser.parse_args(argv)
    try:
        if parsed.check_java:
            require_java()
        words = arguments(parsed.env, home=parsed.home.resolve(), cache=parsed.cache.resolve(), more=parsed.more)
    except NightreelError as error:
        print(f"spark-submit.sh: {error}", file=sys.stderr)
        return error.exit_code
    print(shlex.join(words))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
