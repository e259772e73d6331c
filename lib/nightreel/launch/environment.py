"""Environment variables for the processes that are started meanwhile."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


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
