"""Lines that no reader can take for a rating, as real dumps gather them: each kind by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

Rng = np.random.Generator
Fields = list[bytes]
"""Of a good line: the user first, then the movie where the format has it, the rating, the time."""

_OUTSIDE = (b"0", b"6", b"-1", b"50")
_NEVER = (b"2004-02-30", b"2005-13-01", b"2003-00-17", b"yesterday")


def _one(choices: Sequence[bytes], rng: Rng) -> bytes:
    return choices[int(rng.integers(len(choices)))]


def _bad_id(fields: Fields, rng: Rng) -> bytes:
    user = fields[0]
    return b",".join([_one((b"user" + user, b"-" + user, user + b"9" * 19, b""), rng), *fields[1:]])


def _truncated(fields: Fields, rng: Rng) -> bytes:
    """Without its last field at least: a shorter number of seconds is a time like any other."""
    kept = b",".join(fields[:-1])
    return kept[: len(kept) - int(rng.integers(0, 2))]


_BREAK: Mapping[str, Callable[[Fields, Rng], bytes]] = {
    "rating outside the scale": lambda fields, rng: b",".join([*fields[:-2], _one(_OUTSIDE, rng), fields[-1]]),
    "impossible date": lambda fields, rng: b",".join([*fields[:-1], _one(_NEVER, rng)]),
    "bad id": _bad_id,
    "truncated": _truncated,
    "binary": lambda _, rng: rng.integers(128, 256, 24, dtype=np.uint8).tobytes() + b"\0",
}
KINDS = tuple(_BREAK)


def numbers(lines: int) -> Mapping[str, int]:
    """How many lines of each kind: the kinds take turns."""
    return {kind: len(range(turn, lines, len(KINDS))) for turn, kind in enumerate(KINDS)}


def spoil(text: bytes, kinds: Sequence[str], rng: Rng) -> bytes:
    """The text with a line of each kind in it, made of the good line it follows."""
    parts, start = [], 0
    for kind, byte in zip(kinds, sorted(rng.integers(0, len(text), len(kinds)).tolist()), strict=True):
        end = text.index(b"\n", byte) + 1
        if text[end - 2 : end] == b":\n":
            end = text.index(b"\n", end) + 1
        line = text[text.rfind(b"\n", 0, end - 1) + 1 : end - 1]
        parts += [text[start:end], _BREAK[kind](line.split(b","), rng), b"\n"]
        start = end
    return b"".join([*parts, text[start:]])
