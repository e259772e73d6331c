"""One column of a film's metadata at a time: what it may be, and that nothing of it is evaluated."""

from __future__ import annotations

import ast
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nightreel.sources import metadata as values
from nightreel.sources.metadata import value_of

EXAMPLES = settings(max_examples=200, derandomize=True, deadline=None)
MANY = 100_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[{'id': 16, 'name': 'Animation'}, {'id': 35, 'name': 'Comedy'}]", ["Animation", "Comedy"]),
        ('[{"id": 16, "name": "Animation"}, {"name": "Com\\u00e9die", "x": null}]', ["Animation", "Comédie"]),
        ("[{'name': \"O'Neil\", 'x': None}, {'name': 'A \"B\" C'}]", ["O'Neil", 'A "B" C']),
        ("[{'name': 'O\\'Neil \"B\"'}, {'name': 'a\\tb\\n'}]", ['O\'Neil "B"', "a b"]),
        ("[{'name': 'None, True'}, {'name': 'b'}, {'name': 'None, True'}, {'name': ''}]", ["None, True", "b"]),
        ("[{'name': '千と千尋'}, {'name': None}]", ["千と千尋"]),
        ('[{"name": "half \\ud83d"}]', ["half ?"]),
        ("[]", []),
    ],
)
def test_names_come_in_their_order(text: str, expected: list[str]) -> None:
    assert values.names(text) == expected


def test_directors_are_those_whose_job_it_is() -> None:
    crew = "[{'job': 'Editor', 'name': 'A'}, {'job': 'Director', 'name': 'B'}, {'name': 'C'}]"
    assert values.directors(crew) == ["B"]


@pytest.mark.parametrize(
    "text",
    [
        "[{'id': 16, 'name': 'Anim",
        "{'name': 'Animation'}",
        "[1, 2]",
        "[{'id': 16}]",
        "1995-10-30",
        "nan",
        "__import__('os').getcwd()",
        "[{'name': open('x')}]",
        "[" * MANY,
        "[" * MANY + "]" * MANY,
        "-" * MANY + "1",
        "1+" * MANY + "1",
        "{'a':" * MANY,
        "not " * MANY,
        "[{'name': " + "9" * MANY + "}",
        "[{{}: 1}]",
        "\0",
    ],
    ids=lambda text: text[:20],
)
def test_what_is_no_list_of_objects_is_refused_and_never_evaluated(text: str) -> None:
    with pytest.raises(ValueError, match=r"neither JSON nor a Python literal|no list of objects"):
        values.names(text)


PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
NESTED = st.recursive(
    PLAIN | st.text("'\"\\ ,:[]{}None", max_size=9),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@EXAMPLES
@given(NESTED)
def test_values_written_by_python_are_read_back(value: object) -> None:
    assert value_of(repr(value)) == value


@EXAMPLES
@given(st.text() | st.text("'\"\\[]{}:, NoneTrue10.-xbr#\n", max_size=30))
@example("'a' 'b'")
@example("'''a'''")
@example("(1, None)")
@example("['a' # ']\n]")
def test_any_text_is_the_value_that_json_or_python_gives_it_or_refused(text: str) -> None:
    try:
        expected = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return
    if "true" not in text and "null" not in text:
        assert value_of(text) == expected


@pytest.mark.parametrize(
    ("read", "text", "expected"),
    [
        (values.whole_number, "862", 862),
        (values.whole_number, " 5415.0", 5415),
        (values.number, "7.7", 7.7),
        (values.year, "1995-10-30", 1995),
        (values.year, "2012", 2012),
        (values.imdb_id, "tt0114709 ", "tt0114709"),
        (values.imdb_id, "tt12345678", "tt12345678"),
        (values.imdb_id, "0", None),
        (values.title, " The\r\n  Matrix ", "The Matrix"),
        (values.title, "\N{NO-BREAK SPACE}", None),
        (values.overview, " Led by\n\nWoody. ", "Led by\n\nWoody."),
        (values.overview, "No overview found.", None),
        (values.overview, "No Overview", None),
        (values.overview, "No overview found of this town.", "No overview found of this town."),
    ],
)
def test_values(read: Callable[[str], object], text: str, expected: object) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (values.whole_number, "1997-08-20"),
        (values.whole_number, "-5"),
        (values.whole_number, "9" * 19),
        (values.whole_number, "٣"),
        (values.number, "nan"),
        (values.number, "1e999"),
        (values.number, "x"),
        (values.year, "30/10/1995"),
        (values.imdb_id, "0114709"),
    ],
)
def test_values_that_are_none_of_their_kind(read: Callable[[str], object], text: str) -> None:
    with pytest.raises(ValueError):
        read(text)
