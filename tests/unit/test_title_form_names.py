"""What names stand in a title, and what of it only tells the edition."""

from __future__ import annotations

import pytest

from nightreel.prepare.matching.keys import Described, Key, Kind, item_keys
from nightreel.prepare.matching.titles import Names, names


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


def known_by(
    title: str | None = None,
    *,
    other: str | None = None,
    tmdb_id: int | None = None,
    imdb_id: str | None = None,
) -> list[Key]:
    return item_keys(Described(title, 1995, other, 1994, tmdb_id, imdb_id))


def test_an_item_without_ids_is_known_by_each_of_its_names_once() -> None:
    assert known_by("The City of Lost Children (Cité des enfants perdus, La)", other="La Cité des Enfants Perdus") == [
        Key(Kind.TITLE, "cityoflostchildren", 1995),
        Key(Kind.OTHER, "citedesenfantsperdus", 1995),
    ]
    assert known_by("시월애", other="Il Mare") == [Key(Kind.TITLE, "시월애", 1995), Key(Kind.OTHER, "mare", 1994)]
    assert known_by("Alien: Special Edition") == [Key(Kind.EDITION, "alien", 1995)]
    assert known_by(" ", other="") == [Key(None, None, None)]


def test_an_item_with_ids_is_known_by_them_alone() -> None:
    by_ids = known_by("Toy Story", tmdb_id=862, imdb_id="tt0114709")
    assert by_ids == [Key(Kind.TMDB_ID, "TMDB id: 862", None), Key(Kind.IMDB_ID, "IMDb id: tt0114709", None)]
    assert known_by("TMDB id: 862")[0].text != by_ids[0].text
