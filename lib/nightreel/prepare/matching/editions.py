"""What stands behind a title to say which edition of the film, or which other work of that title, it is."""

from __future__ import annotations

import re

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
