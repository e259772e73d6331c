"""Titles that differ only in how they are written have one form, and others have not."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightreel.prepare.matching.titles import title_form

SAME = [
    ("The Matrix", "Matrix, The", "THE MATRIX", "the  matrix "),
    ("A Beautiful Mind", "Beautiful Mind, A"),
    ("An Affair to Remember", "Affair to Remember, An"),
    ("L'avventura", "Avventura, L'", "L’Avventura", "L' avventura"),
    ("La Cité des enfants perdus", "Cite des enfants perdus, La", "Cité des Enfants Perdus, LA"),
    ("Les Misérables", "Miserables, Les"),
    ("Das Boot", "Boot, Das", "Das Boot "),
    ("Die Blechtrommel", "Blechtrommel, Die"),
    ("El Mariachi", "Mariachi, El"),
    ("Los olvidados", "Olvidados, Los"),
    ("I vitelloni", "Vitelloni, I"),
    ("Gli uccelli", "Uccelli, Gli"),
    ("The Fugitive: Part I", "Fugitive, The: Part 1", "The Fugitive, Part One", "The Fugitive, Pt. 1"),
    ("Amélie", "Amelie", "AMÉLIE", "Ame\u0301lie"),
    ("Fucking Åmål", "Fucking Amal"),
    ("Brødre", "Brodre"),
    ("Lilo & Stitch", "Lilo and Stitch", "LILO AND STITCH"),
    ("Rocky II", "Rocky 2", "Rocky, Part II", "rocky ii"),
    ("Rocky V", "Rocky 5"),
    ("Friday the 13th Part VIII: Jason Takes Manhattan", "Friday the 13th 8 - Jason Takes Manhattan"),
    ("Star Wars: Episode I - The Phantom Menace", "Star Wars: Episode 1: The Phantom Menace"),
    ("Kill Bill: Vol. 2", "Kill Bill: Volume Two", "Kill Bill - Vol 2"),
    ("Alien³", "Alien 3", "Alien III"),
    ("Naked Gun 33⅓", "Naked Gun 33 1/3"),
    ("E.T. the Extra-Terrestrial", "ET: The Extra Terrestrial", "E.T. The Extra-terrestrial"),
    ("M*A*S*H", "MASH", "M.A.S.H."),
    ("S.W.A.T.", "SWAT"),
    ("Spider-Man", "Spiderman", "Spider Man"),
    ("Ocean's Eleven", "Oceans 11", "Ocean’s Eleven"),
    ("Twelve Monkeys", "12 Monkeys"),
    ("20,000 Leagues Under the Sea", "20000 Leagues under the Sea"),
    ("Dr. No", "Doctor No"),
    ("Kramer vs. Kramer", "Kramer Versus Kramer"),
    ("Straße", "STRASSE", "Strasse"),
    ("What the #$*! Do We Know!?", "What the Do We Know"),
    ("시월애", unicodedata.normalize("NFD", "시월애")),
]
DIFFERENT = [
    ("Malcolm X", "Malcolm 10", "Malcolm"),
    ("I, Robot", "1 Robot", "Robot"),
    ("I Am Legend", "Am Legend"),
    ("Die Hard", "Hard"),
    ("Rocky", "Rocky II", "Rocky III", "Rocky IV", "Rocky V", "Rocky Balboa"),
    ("X", "10", "V", "5"),
    ("V for Vendetta", "5 for Vendetta"),
    ("Jason X", "Jason 10"),
    ("The The", "A"),
    ("11:14", "11", "14"),
    ("$", "..."),
    ("が", "か"),
    ("हिन्दी", "हनद"),
    ("Enemies, A Love Story", "A Enemies Love Story"),
]


@pytest.mark.parametrize("titles", SAME, ids=lambda titles: titles[0])
def test_the_same_title_written_otherwise_has_the_same_form(titles: tuple[str, ...]) -> None:
    assert {title: title_form(title) for title in titles} == dict.fromkeys(titles, title_form(titles[0]))


@pytest.mark.parametrize("titles", DIFFERENT, ids=lambda titles: titles[0])
def test_other_titles_have_other_forms(titles: tuple[str, ...]) -> None:
    assert len({title_form(title) for title in titles}) == len(titles)


def test_forms_can_be_told_beforehand() -> None:
    assert title_form("The Lord of the Rings: The Return of the King") == "lordoftheringsthereturnoftheking"
    assert title_form("Rocky IV") == "rocky4"
    assert title_form("Pit and the Pendulum") == "pitandthependulum", "an article within stays"
    assert title_form("$ ") == "$"
    assert title_form(" ") == ""


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.text(max_size=40))
def test_any_text_has_a_form_whatever_its_case_and_unicode_form(text: str) -> None:
    form = title_form(text)
    assert bool(form) == bool(unicodedata.normalize("NFKD", text).strip("".join(map(chr, range(0x300, 0x370)))).strip())
    assert title_form(f"  {text} ") == form
    assert title_form(unicodedata.normalize("NFD", text)) == form


@settings(derandomize=True, deadline=None)
@given(
    st.sampled_from(["The", "A", "Le", "Les", "Der", "Die", "El", "Los", "Il", "Gli", "I"]),
    st.text("abcdeghmnorstu ", min_size=1, max_size=20).filter(str.strip),
)
def test_an_article_may_stand_in_front_or_behind(article: str, rest: str) -> None:
    assert (
        title_form(f"{article} {rest}") == title_form(f"{rest}, {article}") == title_form(f"{rest},{article.upper()}")
    )
