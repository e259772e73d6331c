"""The arguments that spark-submit.sh gives to spark-submit, quoted for a shell.

python -m nightreel.launch.submit --env local --home . --cache build [--more ARGUMENTS] [--check-java]
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from nightreel.errors import ConfigurationError, NightreelError
from nightreel.launch.bundle import bundle
from nightreel.launch.java import require_java
from nightreel.launch.properties import is_local, read_properties


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
