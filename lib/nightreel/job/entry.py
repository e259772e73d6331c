"""The jobs from an installed wheel: `nightreel-job nightly --env cluster`, as a Databricks wheel task calls them."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

from nightreel.errors import BAD_USAGE

_CHECKOUT = Path(__file__).parents[3] / "jobs"
_INSTALLED = Path(__file__).parents[1] / "jobs"


def names() -> list[str]:
    return sorted(file.stem for file in _folder().glob("[a-z]*.py"))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the job that the first argument names with the others. A job that ends well returns, any other exits."""
    name, *rest = [*(sys.argv[1:] if arguments is None else arguments)] or ["--help"]
    if name in ("-h", "--help"):
        print(f"usage: nightreel-job JOB [arguments of the job]\njobs: {', '.join(names())}")
        return
    if name not in names():
        print(f"nightreel-job: {name}: no such job; there are: {', '.join(names())}", file=sys.stderr)
        sys.exit(BAD_USAGE)
    file = str(_folder() / f"{name}.py")
    before, sys.argv = sys.argv, [file, *rest]
    try:
        runpy.run_path(file, run_name="__main__")
    except SystemExit as ended:
        if ended.code:  # Databricks takes every SystemExit for a failure
            raise
    finally:
        sys.argv = before


def _folder() -> Path:
    return _CHECKOUT if (_CHECKOUT / "nightly.py").is_file() else _INSTALLED
