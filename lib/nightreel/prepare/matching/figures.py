"""Numbers as figures, whichever way a title writes them."""

from __future__ import annotations

import re
from collections.abc import Sequence

_ROMAN = re.compile(r"(x{0,3})(ix|iv|v?i{0,3})")
_ROMAN_ONES = {"": 0, "i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5, "vi": 6, "vii": 7, "viii": 8, "ix": 9}
_SPELT = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_FIGURES = {word: str(number) for number, word in enumerate(_SPELT, 1)}
_COUNTED = {"book", "chapter", "episode", "part", "volume"}


def in_figures(words: Sequence[str]) -> list[str]:
    """The words, in lower case, with numbers up to twelve and the roman numerals of sequels as figures.

    A roman numeral (up to 39) is one where it has two letters or more and is not the first word (Rocky II), where it
    is a V at the end (Rocky V), and behind a word such as part (Part I). Other single letters mean themselves:
    Malcolm X; I, Robot. The word part, which not all write, is left out before a number.
    """
    figures: list[str] = []
    for place, word in enumerate(words):
        before = words[place - 1] if place else ""
        figure = _figure(word, before=before, last=place == len(words) - 1)
        if before == "part" and place > 1 and figure.isdecimal():
            figures.pop()
        figures.append(figure)
    return figures


def _figure(word: str, *, before: str, last: bool) -> str:
    numeral = _ROMAN.fullmatch(word) if before else None
    if numeral and (len(word) > 1 or before in _COUNTED or (last and word == "v")):
        return str(10 * len(numeral[1]) + _ROMAN_ONES[numeral[2]])
    return _FIGURES.get(word, word)
