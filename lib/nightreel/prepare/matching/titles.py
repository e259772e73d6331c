"""Numbers as figures, whichever way a title writes them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

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


_LAST_PART = re.compile(r"(?P<title>.*\S)\s*(?::\s*(?P<segment>[^:()]+)|\((?P<bracket>[^()]+)\))", re.DOTALL)
_SHOWN = r"(?:full-?screen|imax|restored|uncensored|uncut|unrated|wide-?screen)"
_CUT = rf"(?:director['’]?s|extended|final|original|special|theatrical|{_SHOWN})"
_EDITION = re.compile(
    rf"{_SHOWN}|.*\bedition|.*\bcollector['’]?s series|(?:.*\b)?{_CUT}\b.*\b(?:cut|version)", re.IGNORECASE
)
_OTHER_WORK = re.compile(r"\b(?:animated|documentary|double feature|mini-?series|short|theatre|tv)\b", re.IGNORECASE)


def without_edition(title: str) -> str:
    """`Aliens: Collector's Edition` as `Aliens`, also behind several such parts; other titles as they are."""
    match = _LAST_PART.fullmatch(title)
    if match and _EDITION.fullmatch((match["segment"] or match["bracket"]).strip()):
        return without_edition(match["title"])
    return title


def is_other_work(bracket: str) -> bool:
    """True of what tells a work from the film of the same title: Mummy (Documentary), Emma (Miniseries)."""
    return _OTHER_WORK.search(bracket) is not None


_TRAILING_ARTICLE = re.compile(
    r"(?P<rest>.+?),\s*"
    r"(?P<article>the|an?|les?|la|une?|der|die|das|eine?|el|los|las|una|uno|il|lo|gli|i|l['’])"
    r"(?P<after>\s*(?:[:(]|-\s).*|\s*)",
    re.IGNORECASE | re.DOTALL,
)
_LEADING_ARTICLE = re.compile(
    r"(?:(?:the|an?|les?|la|une?|der|das|eine?|el|los|las|una|uno|il|lo|gli)\s+|l['’]\s*)(?=.*\w)",
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


def title_form(title: str) -> str:
    """The letters and figures of a title: no case, accents or blanks, no article before them, numbers in figures.

    The Matrix = Matrix, The; Amélie = Amelie; Rocky II = Rocky 2; Lilo & Stitch = Lilo and Stitch; Spider-Man =
    Spiderman. A title without a letter or figure is its own form; an empty one has the empty form.
    """
    plain = _ACCENTS.sub("", unicodedata.normalize("NFKD", _FRACTION.sub(" ", title))).strip()
    words = in_figures(_words(_without_article(_article_first(plain))))
    return unicodedata.normalize("NFC", "".join(words) or plain.casefold())


def _article_first(title: str) -> str:
    """`Vitelloni, I` as `I Vitelloni`."""
    match = _TRAILING_ARTICLE.fullmatch(title)
    if match is None:
        return title
    space = "" if match["article"][-1] in "'’" else " "
    return f"{match['article']}{space}{match['rest']}{match['after']}"


def _without_article(title: str) -> str:
    match = _LEADING_ARTICLE.match(title)
    return title[match.end() :] if match else title


def _words(title: str) -> list[str]:
    closed = _INSIDE_WORDS.sub("", _INITIALS.sub(lambda match: re.sub(r"[.*]", "", match[0]), title))
    spelt = closed.casefold().translate(_LETTERS)
    apart = "".join(letter if _is_of_a_word(letter) else " " for letter in spelt)
    return [_SHORT.get(word, word) for word in apart.split()]


def _is_of_a_word(letter: str) -> bool:
    return letter.isalnum() or unicodedata.category(letter).startswith("M")


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
