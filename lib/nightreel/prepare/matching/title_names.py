"""The names that stand in one title: before the brackets at its end and in them, without the edition."""

from __future__ import annotations

import re
from typing import NamedTuple

from nightreel.prepare.matching.editions import is_other_work, without_edition

_BRACKET = re.compile(r"(?P<before>.*\S)\s*\((?P<inside>(?:[^()]|\([^()]*\))*)\)", re.DOTALL)
_AKA = re.compile(r"\s*\b(?:a\.k\.a\.?|aka)(?!\w):?\s*", re.IGNORECASE)
_NO_NAME = re.compile(r"[\d\W_]*")


class Names(NamedTuple):
    """What a title calls its film."""

    film: str
    edition: bool
    """The title is that of an edition of the film."""
    others: tuple[str, ...]


def names(title: str) -> Names:
    """`Seven (a.k.a. Se7en)`: Seven, otherwise Se7en. `Alien: Special Edition`: an edition of Alien.

    Brackets that begin a title belong to it, and so do those that tell another work of the same title (`Emma
    (Miniseries)`); a bracket without a letter names nothing, and `a.k.a.` inside one parts two names.
    """
    film, edition, others = title.strip(), False, list[str]()
    while True:
        whole = without_edition(film)
        edition |= whole != film
        match = _BRACKET.fullmatch(whole)
        if match is None or is_other_work(match["inside"]):
            return Names(whole, edition, tuple(others))
        film = match["before"]
        others[:0] = [name.strip() for name in _AKA.split(match["inside"]) if not _NO_NAME.fullmatch(name)]
