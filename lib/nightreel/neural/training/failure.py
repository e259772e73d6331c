"""How the fault of one rank reaches whoever launched them all: a file in the run's folder."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nightreel.errors import BAD_USAGE, ConfigurationError, NightreelError

_FILE = "failure.json"


@contextmanager
def recorded(folder: Path) -> Iterator[None]:
    """Note a fault that a person can mend, of the first rank that has one, before it ends the rank."""
    try:
        yield
    except NightreelError as error:
        unfinished = folder / f".{_FILE}.{os.getpid()}"
        unfinished.write_text(json.dumps({"line": str(error), "exit_code": error.exit_code}), encoding="utf-8")
        unfinished.replace(folder / _FILE)
        raise


def read_failure(folder: Path) -> NightreelError | None:
    """The fault noted in the folder, taken out of it; None where there is none."""
    try:
        noted = json.loads((folder / _FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    (folder / _FILE).unlink()
    kind = ConfigurationError if noted["exit_code"] == BAD_USAGE else NightreelError
    return kind(noted["line"])
