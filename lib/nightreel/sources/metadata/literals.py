"""Values written as JSON or as Python writes its own; nothing of them is evaluated."""

from __future__ import annotations

import ast
import json
import re

_NO_LITERAL = (ValueError, SyntaxError, TypeError, MemoryError, RecursionError)
"""What literal_eval raises; the last two for text that nests too deeply, whatever memory there is."""

_STRING_OR_WORD = re.compile(r"""'([^']*)'|"([^"]*)"|\b(None|True|False)\b""")
_WORDS = {"None": "null", "True": "true", "False": "false"}


def value_of(text: str) -> object:
    """The value that the text is a literal of.

    Raises
    ------
    ValueError : it is neither JSON nor a Python literal
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return _without_escapes(text)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(text)
    except _NO_LITERAL as error:
        raise ValueError(f"neither JSON nor a Python literal: {type(error).__name__}") from None


def _without_escapes(text: str) -> object:
    """As literal_eval, in a quarter of its time, where the text is of those literals that differ from JSON in quotes
    and three words alone; else ValueError."""
    if "\\" in text:
        raise ValueError("escapes")
    return json.loads(_STRING_OR_WORD.sub(_as_json, text))


def _as_json(match: re.Match[str]) -> str:
    single, double, word = match.groups()
    if word:
        return _WORDS[word]
    inside = single if double is None else double
    return '"' + inside.replace('"', '\\"') + '"'
