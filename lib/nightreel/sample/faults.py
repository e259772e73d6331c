"""Lines no reader can take for a rating, as real dumps gather them: each kind by its name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from nightreel.errors import ConfigurationError
from nightreel.sample.language.choice import one_of
from nightreel.sample.world.crowds import Format

MOST = 100_000

Rng = np.random.Generator


@dataclass(frozen=True)
class _Shape:
    """What a line of a format looks like, and what may not stand in it. The user comes first, the time last."""

    middle: Callable[[Rng], list[bytes]]
    """The fields between user and time, of which the last is the rating."""
    time: Callable[[Rng], bytes]
    outside: tuple[bytes, ...]
    """Ratings outside the scale."""
    never: tuple[bytes, ...]
    """Times that are none."""
    cut: tuple[int, int]
    """How many bytes a truncated line lacks: enough for it to be seen."""


def _stars(rng: Rng) -> list[bytes]:
    return [b"%d" % rng.integers(1, 6)]


def _movie_and_stars(rng: Rng) -> list[bytes]:
    return [b"%d" % rng.integers(1, 10_000), b"%.1f" % (rng.integers(1, 11) / 2)]


def _movie_and_rate(rng: Rng) -> list[bytes]:
    return [b"%d" % rng.integers(10_001, 11_000), b"%d" % rng.integers(1, 11)]


def _day(rng: Rng) -> bytes:
    return b"2004-%02d-%02d" % (rng.integers(1, 13), rng.integers(1, 29))


def _second(rng: Rng) -> bytes:
    return b"%d" % rng.integers(1_000_000_000, 1_100_000_000)


_SHAPES: Mapping[Format, _Shape] = {
    "netflix": _Shape(
        middle=_stars,
        time=_day,
        outside=(b"0", b"6", b"9", b"50"),
        never=(b"2004-02-30", b"2005-13-01", b"2003-00-17", b"2002-11-31"),
        cut=(2, 12),
    ),
    "movielens": _Shape(
        middle=_movie_and_stars,
        time=_second,
        outside=(b"0.0", b"5.5", b"-1.0", b"45.0"),
        never=(b"2004-02-30", b"yesterday", b"96498x703", b"9e"),
        cut=(11, 14),
    ),
    "kmrd": _Shape(
        middle=_movie_and_rate,
        time=_second,
        outside=(b"0", b"11", b"-1", b"100"),
        never=(b"2004-02-30", b"yesterday", b"14941x8040", b"9e"),
        cut=(11, 13),
    ),
}


def _outside_scale(shape: _Shape, rng: Rng) -> bytes:
    *before, _ = shape.middle(rng)
    return b",".join([_user(rng), *before, one_of(shape.outside, rng), shape.time(rng)])


def _impossible_date(shape: _Shape, rng: Rng) -> bytes:
    return b",".join([_user(rng), *shape.middle(rng), one_of(shape.never, rng)])


def _bad_id(shape: _Shape, rng: Rng) -> bytes:
    user = _user(rng)
    ids = (b"user" + user, b"-" + user, user + b"99999999999999", b"")
    return b",".join([one_of(ids, rng), *shape.middle(rng), shape.time(rng)])


def _truncated(shape: _Shape, rng: Rng) -> bytes:
    whole = b",".join([_user(rng), *shape.middle(rng), shape.time(rng)])
    return whole[: -int(rng.integers(*shape.cut))]


def _binary(_: _Shape, rng: Rng) -> bytes:
    return bytes(rng.integers(128, 256, 24, dtype=np.uint8)) + b"\0"


_KINDS: Mapping[str, Callable[[_Shape, Rng], bytes]] = {
    "rating outside the scale": _outside_scale,
    "impossible date": _impossible_date,
    "bad id": _bad_id,
    "truncated": _truncated,
    "binary": _binary,
}
KINDS = tuple(_KINDS)


def kinds(lines: int, among: tuple[str, ...] = KINDS) -> list[str]:
    """So many kinds, each as often as any other.

    Raises
    ------
    ConfigurationError : more than anyone would want, or fewer than none
    """
    if not 0 <= lines <= MOST:
        raise ConfigurationError(f"broken lines = {lines:,}: must be from 0 to {MOST:,}")
    return [among[number % len(among)] for number in range(lines)]


def counted(kinds: Iterable[str]) -> Mapping[str, int]:
    return Counter(kinds)


def spoil(text: bytes, faults: Iterable[str], rng: Rng, *, format: Format, after: int) -> bytes:
    """The lines with broken ones among them, none before the first `after` lines."""
    lines = text.splitlines(keepends=True)
    for kind in faults:
        lines.insert(int(rng.integers(after, len(lines) + 1)), _KINDS[kind](_SHAPES[format], rng) + b"\n")
    return b"".join(lines)


def _user(rng: Rng) -> bytes:
    return b"%d" % rng.integers(100_000, 2_000_000)
