"""Columns that hold lists of objects with names, such as [{'id': 16, 'name': 'Animation'}]."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from nightreel.sources.metadata.literals import value_of

_DIRECTOR = "Director"


def names(text: str) -> list[str]:
    """The objects' names in their order, each once.

    Raises
    ------
    ValueError : the text is no list of objects with names, as JSON or a Python literal
    """
    return _names(_objects(text))


def directors(text: str) -> list[str]:
    """The names of those in a crew whose job is to direct; raises as `names`."""
    return _names(member for member in _objects(text) if member.get("job") == _DIRECTOR)


def _objects(text: str) -> Sequence[Mapping[str, object]]:
    value = value_of(text)
    if not isinstance(value, list) or not all(isinstance(one, dict) and "name" in one for one in value):
        raise ValueError("no list of objects with names")
    return value


def _names(objects: Iterable[Mapping[str, object]]) -> list[str]:
    found = (one["name"] for one in objects)
    plain = (_plain(name) for name in found if isinstance(name, str))
    return list(dict.fromkeys(name for name in plain if name))


def _plain(name: str) -> str:
    """In one line, and without what cannot be written as UTF-8: an escape may stand for half a character."""
    return " ".join(name.encode("utf-8", "replace").decode("utf-8").split())
