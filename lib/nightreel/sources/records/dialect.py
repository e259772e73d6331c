"""How a file's bytes become records."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

UTF8_OR_LATIN1 = "utf-8 or latin-1"
"""The encoding of files that are one or the other: a line that is no UTF-8 is Latin-1."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """What stands between fields, and whether the first record names them.

    quoted : fields may stand in double quotes, as Python's csv module reads them, and then hold separators and line
        feeds; else a line is a record, whatever it holds
    encoding : one that leaves ASCII as it is, or UTF8_OR_LATIN1
    """

    separator: str
    """One character; two or more only where nothing is quoted."""
    quoted: bool
    header: bool
    encoding: str = "utf-8"

    def __post_init__(self) -> None:
        if not self.separator or (self.quoted and len(self.separator) > 1):
            raise ValueError(f"separator {self.separator!r}: must be one character where fields are quoted")
        if self.encoding != UTF8_OR_LATIN1:
            codecs.lookup(self.encoding)

    def decode(self, line: bytes) -> str:
        """Raises UnicodeDecodeError where the line is not in the encoding."""
        if self.encoding != UTF8_OR_LATIN1:
            return line.decode(self.encoding)
        try:
            return line.decode("utf-8")
        except UnicodeDecodeError:
            return line.decode("latin-1")
