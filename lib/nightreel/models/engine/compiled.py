"""How loops over ratings are compiled: numba, without Python's lock, kept between processes where that is possible."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


def compiled(function: FunctionT) -> FunctionT:
    """The function as machine code from its first call on; it takes and returns numbers and numpy arrays only.

    The code is kept beside the module's file or in the user's cache. Where neither can be written, as in a zip or a
    read-only container, each process compiles anew.
    """
    try:
        return cast(FunctionT, numba.njit(nogil=True, cache=True)(function))
    except RuntimeError:
        return cast(FunctionT, numba.njit(nogil=True)(function))
