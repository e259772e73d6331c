"""The names in a title, and a normalised spelling of each."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

_BRACKET = re.compile(r"(?P<before>.*\S)\s*\((?P<inside>(?:[^()]|\([^()]*\))*)\)", re.DOTALL)
_AKA = re.compile(r"\s*\b(?:a\.k\.a\.?|aka)(?!\w):?\s*", re.IGNORECASE)
_NO_NAME = re.compile(r"[\d\W_]*")
_OTHER_WORK = re.compile(r"\b(?:animated|documentary|double feature|mini-?series|short|theatre|tv)\b", re.IGNORECASE)
"""In brackets it names a work other than the film of the same title: Mummy (Documentary), Emma (Miniseries)."""
_LAST_PART = re.compile(r"(?P<title>.*\S)\s*(?::\s*(?P<segment>[^:()]+)|\((?P<bracket>[^()]+)\))", re.DOTALL)
_SHOWN = r"(?:full-?screen|imax|restored|uncensored|uncut|unrated|wide-?screen)"
_CUT = rf"(?:director['’]?s|extended|final|original|special|theatrical|{_SHOWN})"
_EDITION = re.compile(
    rf"{_SHOWN}|.*\bedition|.*\bcollector['’]?s series|(?:.*\b)?{_CUT}\b.*\b(?:cut|version)", re.IGNORECASE
)


class Names(NamedTuple):
    """The names that a title gives."""

    film: str
    edition: bool
    """The title names an edition of the film."""
    others: tuple[str, ...]


def names(title: str) -> Names:
    """`Seven (a.k.a. Se7en)`: Seven, otherwise Se7en. `Alien: Special Edition`: an edition of Alien.

    Brackets at the start belong to the title, and so do those that name another work (`Emma (Miniseries)`). A bracket
    without a letter is dropped; `a.k.a.` inside a bracket separates two names.
    """
    film, edition, others = title.strip(), False, list[str]()
    while True:
        whole = _without_edition(film)
        edition |= whole != film
        match = _BRACKET.fullmatch(whole)
        if match is None or _OTHER_WORK.search(match["inside"]):
            return Names(whole, edition, tuple(others))
        film = match["before"]
        others[:0] = [name.strip() for name in _AKA.split(match["inside"]) if not _NO_NAME.fullmatch(name)]


def _without_edition(title: str) -> str:
    """`Aliens: Collector's Edition` as `Aliens`, after several such parts too; other titles unchanged."""
    match = _LAST_PART.fullmatch(title)
    if match and _EDITION.fullmatch((match["segment"] or match["bracket"]).strip()):
        return _without_edition(match["title"])
    return title


_TRAILING_ARTICLE = re.compile(
    r"(?P<rest>.+?),\s*"
    r"(?P<article>the|an?|les?|la|une?|der|die|das|eine?|el|los|las|una|uno|il|lo|gli|i|l['’])"
    r"(?P<after>\s*(?:[:(]|-\s).*|\s*)",
    re.IGNORECASE | re.DOTALL,
)
_LEADING_ARTICLE = re.compile(
    r"^(?:(?:the|an?|les?|la|une?|der|das|eine?|el|los|las|una|uno|il|lo|gli)\s+|l['’]\s*)(?=.*\w)",
    re.IGNORECASE | re.DOTALL,
)
"""Without `die` and `i`, which other languages begin titles with: Die Hard, I Am Legend."""
_ACCENTS = re.compile(r"[\u0300-\u036f]")
"""Those of Latin, Greek and Cyrillic; in other scripts a mark may make another letter."""
_LETTERS = str.maketrans(
    {"æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "&": " and "}
)
_INITIALS = re.compile(r"(?<!\w)(?:[^\W\d_][.*])+[^\W\d_]?(?!\w)")
_INSIDE_WORDS = re.compile(r"(?<=\w)['’`´](?=\w)|(?<=\d)[.,](?=\d{3}(?!\d))")
_FRACTION = re.compile(r"(?<=\d)(?=[¼-¾⅐-⅞])")
_SHORT = {"dr": "doctor", "pt": "part", "vol": "volume", "vs": "versus"}


def normalised_title(title: str) -> str:
    """The letters and figures of a title: no case, accents, blanks or leading article, numbers as figures.

    The Matrix = Matrix, The; Amélie = Amelie; Rocky II = Rocky 2; Lilo & Stitch = Lilo and Stitch; Spider-Man =
    Spiderman. A title without a letter or figure is only stripped and case-folded; an empty one stays empty.
    """
    plain = _ACCENTS.sub("", unicodedata.normalize("NFKD", _FRACTION.sub(" ", title))).strip()
    words = _with_figures(_words(_LEADING_ARTICLE.sub("", _article_first(plain))))
    return unicodedata.normalize("NFC", "".join(words) or plain.casefold())


def _article_first(title: str) -> str:
    """`Vitelloni, I` as `I Vitelloni`."""
    match = _TRAILING_ARTICLE.fullmatch(title)
    if match is None:
        return title
    space = "" if match["article"][-1] in "'’" else " "
    return f"{match['article']}{space}{match['rest']}{match['after']}"


def _words(title: str) -> list[str]:
    closed = _INSIDE_WORDS.sub("", _INITIALS.sub(lambda match: re.sub(r"[.*]", "", match[0]), title))
    spelt = closed.casefold().translate(_LETTERS)
    apart = "".join(letter if letter.isalnum() or unicodedata.category(letter)[0] == "M" else " " for letter in spelt)
    return [_SHORT.get(word, word) for word in apart.split()]


_ROMAN = re.compile(r"(x{0,3})(ix|iv|v?i{0,3})")
_ROMAN_ONES = {"": 0, "i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5, "vi": 6, "vii": 7, "viii": 8, "ix": 9}
_SPELT = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_FIGURES = {word: str(number) for number, word in enumerate(_SPELT, 1)}
_COUNTED = {"book", "chapter", "episode", "part", "volume"}


def _with_figures(words: Sequence[str]) -> list[str]:
    """The lower-case words, with numbers up to twelve and the roman numerals of sequels as figures.

    A word is a roman numeral (up to 39) if it has two letters or more and is not the first word (Rocky II), if it is
    a V at the end (Rocky V), or after a word such as part (Part I). Other single letters stay letters: Malcolm X;
    I, Robot. The word part is dropped before a number, because not everybody writes it.
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
