"""Invented plots: a few sentences that name what the title names and use the words of the genre."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nightreel.sample.language.choice import one_of
from nightreel.sample.language.tags import TAGS, rank
from nightreel.sample.language.titles import Genre, parts_of

_OPENINGS: Mapping[Genre, tuple[str, ...]] = {
    Genre.SCIENCE_FICTION: (
        "The year is 2387, and the only {what} left in orbit around {where} has stopped answering.",
        "When a {what} returns to {where} after two centuries, its crew of androids brings something along.",
        "{hero}, a pilot on leave in the {where} colonies, is the first to see the {what} move by itself.",
        "Earth sends its last {what} to {where}, and nobody has told the computer on board why.",
    ),
    Genre.ROMANCE: (
        "{hero} comes to {where} to forget a wedding, and falls in love with the one person who hates weddings.",
        "One summer in {where}, a {what}, and a stranger whose letters were never meant for {hero}.",
        "Everybody in {where} believes in true love but {hero}, until a {what} goes wrong.",
        "Two people who cannot stand each other share a flat in {where}, a kitchen, and by spring a {what}.",
    ),
    Genre.HORROR: (
        "Nobody in {where} speaks of the {what}, and nobody goes out after dark.",
        "{hero} inherits a house in {where}, with a cellar that is older than the house, and a {what} in it.",
        "Thirteen years after the {what}, the dead of {where} start knocking at night.",
        "A school trip ends in {where}, where the {what} has been waiting, and it is hungry.",
    ),
    Genre.WESTERN: (
        "A stranger rides into {where} with a {what} on his trail and one bullet left.",
        "The railroad wants {where}, the ranchers want blood, and between them stands {hero} with a tin star.",
        "After the {what}, three outlaws cross the desert to {where} for gold that each means to keep alone.",
        "{hero} hung up the guns ten years ago; then the {what} came to {where}.",
    ),
    Genre.MYSTERY: (
        "A body in the conservatory, a {what} alibi and a {where}: the inspector has until breakfast.",
        "When the {what} {where} is found in the library, each of the nine guests has a motive for murder.",
        "{hero}, a retired detective who only wanted to grow roses, is asked about a {what} {where}.",
        "The village of Little Hexham has one policeman, two clues, and a {what} {where}.",
    ),
    Genre.WILDLIFE: (
        "Filmed over three years, a {what} and her young cross the {where} in search of water.",
        "No camera has ever followed a {what} through a winter in the {where}, until now.",
        "In the {where}, where rain falls twice a year, a {what} has learned a trick no other animal knows.",
        "{hero} lends a voice to the {what} of the {where}, their courtship, their quarrels and their long journey.",
    ),
}

_FOLLOWING: Mapping[Genre, tuple[str, ...]] = {
    Genre.SCIENCE_FICTION: (
        "A story of {tag} and {other}, of gravity and of a planet that thinks.",
        "As the oxygen runs out, the mission turns into a question of {tag}.",
        'The ship\'s log calls it "{tag}"; the scientists call it {other}.',
    ),
    Genre.ROMANCE: (
        "There will be {tag}, there will be {other}, and somebody will run through an airport.",
        "Between a bakery and the sea, hearts are broken over {tag} and mended by chance.",
        'It is called "{tag}", and it takes a dance, a quarrel and a kiss to find out why.',
    ),
    Genre.HORROR: (
        "With {tag} in the attic and {other} in the woods, the night has only begun.",
        "What follows is {tag}, and screams that no neighbour hears.",
        'The old book says "{tag}", and the candles go out one by one.',
    ),
    Genre.WESTERN: (
        "It takes {tag}, {other} and a rope before the sun sets on the prairie.",
        "Dust, whiskey and {tag}: by noon the undertaker will have work.",
        'On the wanted poster it says "{tag}", and the price is high.',
    ),
    Genre.MYSTERY: (
        "Between {tag} and {other}, the truth is served with the tea.",
        "Everyone lies, the butler best of all, and it all comes down to {tag}.",
        'A torn note says "{tag}"; the murderer has forgotten the other half.',
    ),
    Genre.WILDLIFE: (
        "A film about {tag} and {other}, and about how little of the habitat is left.",
        "The herd, the nest, the hunt: {tag} as it has never been seen.",
        'Scientists call it "{tag}"; the cubs call it play.',
    ),
}

_HEROES = (
    "Ada Corvino", "young Felix Norwood", "Mabel O'Hara", "Doctor Yarrow", "Greta Lindqvist", "old Silas Quimby",
    "Captain Vandermeer", "Nora D'Angelo",
)  # fmt: skip
_CLOSING = ("Based on a true story.", "From the makers of last year's surprise.", "Nothing will be as it was.", "")
_NEWLINE = 0.03
"""How often a plot has a second paragraph."""

Rng = np.random.Generator


def plot(title: str, rng: Rng) -> str:
    """Of a generated title; raises KeyError for any other."""
    parts = parts_of(title)
    what, where = parts.words
    tag, *others = pick_tags(parts.genre, 4, rng)
    sentences = [one_of(texts, rng) for texts in (_OPENINGS[parts.genre], _FOLLOWING[parts.genre], _CLOSING)]
    text = " ".join(filter(None, sentences)).format(
        what=what.lower(), where=where, hero=one_of(_HEROES, rng), tag=tag, other=others[0] if others else tag
    )
    return text.replace(". ", ".\n\n", 1) if rng.random() < _NEWLINE else text


def pick_tags(genre: Genre, draws: int, rng: Rng) -> tuple[str, ...]:
    """Words of the genre, the frequent ones more often; fewer than so many where a word is drawn again."""
    return tuple(TAGS[genre][place] for place in dict.fromkeys(rank(rng.random(draws)).tolist()))
