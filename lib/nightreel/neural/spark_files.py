"""Files as Spark names them."""

from __future__ import annotations

import re
from urllib.parse import unquote

from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs

_URI = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+:/")


def locate(file: str) -> tuple[AbstractFileSystem, str]:
    """What opens the file, and under which name.

    Parameters
    ----------
    file : a path, or a URI with its special characters escaped, as Spark's `inputFiles` gives them

    Raises
    ------
    ImportError, ValueError : nothing here opens files of that kind
    """
    filesystem, path = url_to_fs(unquote(file) if _URI.match(file) else file)
    return filesystem, path
