"""Invented people who make films: those of a genre play in its films, so that a cast tells the genre too."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nightreel.sample.language.choice import one_of
from nightreel.sample.language.titles import GENRES
from nightreel.sample.world.catalogue import Catalogue

_GIVEN = (
    "Ada 에이다", "Bruno 브루노", "Celia 실리아", "Dario 다리오", "Edith 이디스", "Felix 펠릭스",
    "Greta 그레타", "Hugo 휴고", "Iris 아이리스", "Jonas 조나스", "Karin 카린", "Leon 레온", "Mabel 메이블",
    "Nora 노라", "Otto 오토", "Petra 페트라", "Quentin 쿠엔틴", "Rosa 로사", "Silas 사일러스", "Thea 테아",
    "Ulric 울릭", "Vera 베라", "Walter 월터", "Xenia 제니아", "Yannick 야닉", "Zelda 젤다",
)  # fmt: skip
_FAMILY = (
    "Abernathy 애버내시", "Bellweather 벨웨더", "Corvino 코르비노", "Dunmore 던모어", "Eastlake 이스트레이크",
    "Fairbank 페어뱅크", "Galloway 갤러웨이", "Harrowgate 해로게이트", "Ingram 잉그램", "Jessup 제섭",
    "Kingsley 킹즐리", "Lindqvist 린드크비스트", "Marchetti 마르케티", "Norwood 노우드", "Oakden 오크던",
    "Pemberton 펨버턴", "Quimby 큄비", "Ravelli 라벨리", "Sandoval 산도발", "Thornbury 손베리",
    "Underhill 언더힐", "Vandermeer 밴더미어", "Whitlock 휘틀록", "Yarrow 야로", "Zielinski 지엘린스키",
)  # fmt: skip
_KOREAN_FAMILY = "김이박최정강조윤장임한오서신권황안송류홍"
_KOREAN_FIRST = "가나다도라로민보서세소수시아연예우유은이재정주지진채하해현혜"
_KOREAN_SECOND = "강경곤기나라람린별빈선솔슬아안연영온우욱원윤인준진찬철한환훈"
_KOREAN_SHARE = 0.35
_OF_GENRE = 5_000
_FIRST_ID, _STEP = 3, 7
_CAST = (3, 16)
_LEADING = (1, 6)


@dataclass(frozen=True)
class Person:
    id: int
    korean: str
    original: str
    """Empty where the Korean name is the original one."""

    @property
    def name(self) -> str:
        return self.original or self.korean


@dataclass(frozen=True)
class Cast:
    """Of one film."""

    people: tuple[Person, ...]
    """In the order of billing."""
    leading: int
    """How many of the first of them have leading roles."""
    director: Person


def casts(catalogue: Catalogue, *, seed: int) -> list[Cast]:
    """Of each film: some of its genre's people, few of whom play often."""
    troupe = _troupe(np.random.default_rng([seed, 12]))
    rng = np.random.default_rng([seed, 13])
    found = []
    for genre in catalogue.genres.tolist():
        picked = (rng.random(int(rng.integers(*_CAST)) + 1) ** 3 * _OF_GENRE).astype(np.int64).tolist()
        director, *players = (troupe[place * len(GENRES) + genre] for place in picked)
        people = tuple(dict.fromkeys(players))
        found.append(Cast(people, min(int(rng.integers(*_LEADING)), len(people)), director))
    return found


def _troupe(rng: np.random.Generator) -> list[Person]:
    """Everybody, by ascending id; every sixth works in the same genre."""
    people = _OF_GENRE * len(GENRES)
    ids = _FIRST_ID + np.cumsum(rng.integers(1, _STEP, people))
    return [Person(number, *_name(rng)) for number in ids.tolist()]


def _name(rng: np.random.Generator) -> tuple[str, str]:
    if rng.random() < _KOREAN_SHARE:
        syllables = (_KOREAN_FAMILY, _KOREAN_FIRST, _KOREAN_SECOND)
        return "".join(one_of(some, rng) for some in syllables), ""
    latin, korean = zip(one_of(_GIVEN, rng).split(" "), one_of(_FAMILY, rng).split(" "), strict=True)
    return " ".join(korean), " ".join(latin)
