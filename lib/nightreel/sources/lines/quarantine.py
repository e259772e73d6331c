"""Lines that are no good, as quarantine keeps them."""

from __future__ import annotations

from dataclasses import dataclass

BOM = b"\xef\xbb\xbf"
SHOWN_CHARACTERS = 1_000
SHOWN_BYTES = 4 * SHOWN_CHARACTERS  # UTF-8 takes at most four bytes a character
BLANKS = b" \t\r"


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line for quarantine: the offset of its first byte in the unpacked file, its text and why."""

    position: int
    line: str
    reason: str


def quarantined_text(line: bytes) -> str:
    """A line as quarantine keeps it: cut at 1,000 characters, bytes that are no UTF-8 replaced."""
    return line[:SHOWN_BYTES].rstrip(BLANKS).decode("utf-8", "replace")[:SHOWN_CHARACTERS]
