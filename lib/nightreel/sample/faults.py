"""Lines no reader can take for a rating, as real dumps gather them: each kind by its name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

import numpy as np

Rng = np.random.Generator


def _outside_scale(rng: Rng) -> bytes:
    return b"%d,%d,%s" % (_user(rng), rng.choice([0, 6, 9, 50]), _day(rng))


def _impossible_date(rng: Rng) -> bytes:
    dates = [b"2004-02-30", b"2005-13-01", b"2003-00-17", b"2002-11-31"]
    return b"%d,%d,%s" % (_user(rng), _stars(rng), dates[rng.integers(len(dates))])


def _bad_id(rng: Rng) -> bytes:
    ids = [b"user%d" % _user(rng), b"-%d" % _user(rng), b"%d99999999999999" % _user(rng), b""]
    return b"%s,%d,%s" % (ids[rng.integers(len(ids))], _stars(rng), _day(rng))


def _truncated(rng: Rng) -> bytes:
    whole = b"%d,%d,%s" % (_user(rng), _stars(rng), _day(rng))
    return whole[: -int(rng.integers(2, 12))]


def _binary(rng: Rng) -> bytes:
    return bytes(rng.integers(128, 256, 24, dtype=np.uint8)) + b"\0"


_KINDS: Mapping[str, Callable[[Rng], bytes]] = {
    "rating outside the scale": _outside_scale,
    "impossible date": _impossible_date,
    "bad id": _bad_id,
    "truncated": _truncated,
    "binary": _binary,
}
KINDS = tuple(_KINDS)


def kinds(lines: int) -> list[str]:
    """So many kinds, each as often as any other."""
    return [KINDS[number % len(KINDS)] for number in range(lines)]


def counted(lines: int) -> Mapping[str, int]:
    return Counter(kinds(lines))


def spoil(text: bytes, faults: Iterable[str], rng: Rng) -> bytes:
    """The movie's lines with broken ones among them, never before its header."""
    lines = text.splitlines(keepends=True)
    for kind in faults:
        lines.insert(int(rng.integers(1, len(lines) + 1)), _KINDS[kind](rng) + b"\n")
    return b"".join(lines)


def _user(rng: Rng) -> int:
    return int(rng.integers(100_000, 2_000_000))


def _stars(rng: Rng) -> int:
    return int(rng.integers(1, 6))


def _day(rng: Rng) -> bytes:
    return b"2004-%02d-%02d" % (rng.integers(1, 13), rng.integers(1, 29))
