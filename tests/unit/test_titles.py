"""Titles written in different ways are normalised to the same text, and titles give names, ids and keys."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightreel.prepare.matching import Identifiers, Key, KeyKind, item_keys
from nightreel.prepare.titles import Names, names, normalised_title

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
def test_spellings_of_one_title_are_normalised_alike(titles: tuple[str, ...]) -> None:
    assert {title: normalised_title(title) for title in titles} == dict.fromkeys(titles, normalised_title(titles[0]))


@pytest.mark.parametrize("titles", DIFFERENT, ids=lambda titles: titles[0])
def test_other_titles_stay_apart(titles: tuple[str, ...]) -> None:
    assert len({normalised_title(title) for title in titles}) == len(titles)


def test_normalised_titles_by_hand() -> None:
    assert normalised_title("The Lord of the Rings: The Return of the King") == "lordoftheringsthereturnoftheking"
    assert normalised_title("Rocky IV") == "rocky4"
    assert normalised_title("Pit and the Pendulum") == "pitandthependulum", "an article within stays"
    assert normalised_title("$ ") == "$"
    assert normalised_title(" ") == ""


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.text(max_size=40))
def test_any_text_is_normalised_alike_in_every_unicode_form(text: str) -> None:
    expected = normalised_title(text)
    assert bool(expected) == bool(
        unicodedata.normalize("NFKD", text).strip("".join(map(chr, range(0x300, 0x370)))).strip()
    )
    assert normalised_title(f"  {text} ") == expected
    assert normalised_title(unicodedata.normalize("NFD", text)) == expected


@settings(derandomize=True, deadline=None)
@given(
    st.sampled_from(["The", "A", "Le", "Les", "Der", "Die", "El", "Los", "Il", "Gli", "I"]),
    st.text("abcdeghmnorstu ", min_size=1, max_size=20).filter(str.strip),
)
def test_an_article_may_stand_in_front_or_behind(article: str, rest: str) -> None:
    titles = (f"{article} {rest}", f"{rest}, {article}", f"{rest},{article.upper()}")
    assert len({normalised_title(title) for title in titles}) == 1


@pytest.mark.parametrize(
    ("title", "found"),
    [
        ("Toy Story", Names("Toy Story", False, ())),
        ("Seven (a.k.a. Se7en)", Names("Seven", False, ("Se7en",))),
        ("Vampire Effect (aka Twins Effect)", Names("Vampire Effect", False, ("Twins Effect",))),
        ("Postman, The (Postino, Il)", Names("Postman, The", False, ("Postino, Il",))),
        ("Fist (Tang shan) (Jing wu a.k.a. Boss)", Names("Fist", False, ("Tang shan", "Jing wu", "Boss"))),
        ("Sequel (First (and only) Part)", Names("Sequel", False, ("First (and only) Part",))),
        ("(500) Days of Summer", Names("(500) Days of Summer", False, ())),
        ("Zoo (2008)", Names("Zoo", False, ())),
        ("Emma (Miniseries)", Names("Emma (Miniseries)", False, ())),
        ("Mummy (Documentary)", Names("Mummy (Documentary)", False, ())),
        ("Aliens: Collector's Edition", Names("Aliens", True, ())),
        ("Jackie Brown: Collector's Series", Names("Jackie Brown", True, ())),
        ("The Blues Brothers: Extended Cut", Names("The Blues Brothers", True, ())),
        ("Fanny and Alexander (Theatrical Version)", Names("Fanny and Alexander", True, ())),
        ("Splash: 20th Anniversary Edition", Names("Splash", True, ())),
        ("Troy (Widescreen): Director's Cut", Names("Troy", True, ())),
        ("Everest: IMAX", Names("Everest", True, ())),
        ("Alien: Resurrection", Names("Alien: Resurrection", False, ())),
        ("Casablanca: Bonus Material", Names("Casablanca: Bonus Material", False, ())),
        ("The Final Cut", Names("The Final Cut", False, ())),
        ("", Names("", False, ())),
    ],
)
def test_names(title: str, found: Names) -> None:
    assert names(title) == found


def keys_of(
    title: str | None = None,
    *,
    other: str | None = None,
    tmdb_id: int | None = None,
    imdb_id: str | None = None,
) -> list[Key]:
    return item_keys(Identifiers(title, 1995, other, 1994, tmdb_id, imdb_id))


def test_an_item_without_ids_is_keys_of_each_of_its_names_once() -> None:
    assert keys_of("The City of Lost Children (Cité des enfants perdus, La)", other="La Cité des Enfants Perdus") == [
        Key(KeyKind.TITLE, "cityoflostchildren", 1995),
        Key(KeyKind.OTHER, "citedesenfantsperdus", 1995),
    ]
    assert keys_of("시월애", other="Il Mare") == [Key(KeyKind.TITLE, "시월애", 1995), Key(KeyKind.OTHER, "mare", 1994)]
    assert keys_of("Alien: Special Edition") == [Key(KeyKind.EDITION, "alien", 1995)]
    assert keys_of(" ", other="") == [Key(None, None, None)]


def test_an_item_with_ids_is_keys_of_them_alone() -> None:
    by_ids = keys_of("Toy Story", tmdb_id=862, imdb_id="tt0114709")
    assert by_ids == [Key(KeyKind.TMDB_ID, "TMDB id: 862", None), Key(KeyKind.IMDB_ID, "IMDb id: tt0114709", None)]
    assert keys_of("TMDB id: 862")[0].text != by_ids[0].text
