"""Words that people have for films: some go with a genre, others with how good a film is."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from nightreel.sample.language.titles import Genre

TAGS: Mapping[Genre, tuple[str, ...]] = {
    Genre.SCIENCE_FICTION: (
        "space", "aliens", "robots", "time travel", "artificial intelligence", "dystopia", "spaceship", "far future",
        "parallel universe", "mad scientist", "outer space", "android", "space opera", "terraforming", "zero gravity",
    ),
    Genre.ROMANCE: (
        "love story", "wedding", "first love", "romantic", "love triangle", "chick flick", "feel-good", "tear jerker",
        "star-crossed lovers", "kissing in the rain", "soul mates", "heartbreak", "bittersweet", "jealousy", "letters",
    ),
    Genre.HORROR: (
        "vampires", "ghosts", "zombies", "haunted house", "gore", "jump scares", "creepy", "supernatural", "slasher",
        "occult", "blood", "nightmare", "possession", "undead", "scary",
    ),
    Genre.WESTERN: (
        "gunfight", "cowboys", "wild west", "outlaws", "sheriff", "revenge", "desert", "horses", "duel", "frontier",
        "saloon", "bounty hunter", "lone rider", "cattle", "spaghetti western",
    ),
    Genre.MYSTERY: (
        "whodunit", "detective", "murder", "twist ending", "clues", "investigation", "suspects", "inspector", "alibi",
        "secrets", "locked room", "English village", "sleuth", "poison", "red herring",
    ),
    Genre.WILDLIFE: (
        "nature", "animals", "wildlife", "conservation", "narrated", "ecosystem", "beautiful scenery", "migration",
        "predators", "climate", "birds", "ocean", "educational", "slow motion", "endangered species",
    ),
}  # fmt: skip
"""The first of a genre are the most frequent."""

PRAISE = ("masterpiece", "great cinematography", "must see", "clever", 'so good, "unforgettable"', "on my shelf")
BLAME = ("boring", "overrated", "predictable", "bad acting", "too long, too slow", "walked out")
ANY = ("seen on a plane", "library dvd", "rewatch", "soundtrack", '"artsy"', "based on a book")

WORDS = 15
"""Of each genre."""
_SHARES = 1.0 / np.arange(2, WORDS + 2)
_SUMS = np.cumsum(_SHARES / _SHARES.sum())


def rank(draws: NDArray[np.float64]) -> NDArray[np.int64]:
    """Uniform draws to places in a genre's words, the first ones more often."""
    return np.minimum(np.searchsorted(_SUMS, draws, side="right"), WORDS - 1)
