"""What names stand in a title, and what of it only tells the edition."""

from __future__ import annotations

import pytest

from nightreel.prepare.matching.forms import Kind, title_forms
from nightreel.prepare.matching.title_names import Names, names


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


def test_forms_are_told_once_by_what_they_are_the_forms_of() -> None:
    told = set(title_forms("The City of Lost Children (Cité des enfants perdus, La)", "La Cité des Enfants Perdus"))
    assert told == {(Kind.TITLE, "cityoflostchildren", False), (Kind.OTHER, "citedesenfantsperdus", False)}
    assert set(title_forms("시월애", "Il Mare")) == {(Kind.TITLE, "시월애", False), (Kind.OTHER, "mare", True)}
    assert set(title_forms("Alien: Special Edition", None)) == {(Kind.EDITION, "alien", False)}
    assert set(title_forms(None, "")) == set()
