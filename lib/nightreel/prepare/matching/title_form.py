"""What of a title is the same however it is written: case, accents, punctuation, articles, sequel numbers aside."""

from __future__ import annotations

import re
import unicodedata

from nightreel.prepare.matching.figures import in_figures

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
