"""How loops over ratings are compiled: numba, without Python's lock, kept between processes where that is possible."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


def compiled(function: FunctionT) -> FunctionT:
    """The function as machine code from its first call on; it takes and returns numbers and numpy arrays only.

    The code is kept beside the module's file; a package that runs from a zip has no such place, and compiles once in
    each process.
    """
    beside = Path(function.__code__.co_filename).is_file()
    return cast(FunctionT, numba.njit(nogil=True, cache=beside)(function))
