"""By what an item's film is found, surest first, and why none is."""

from __future__ import annotations

from enum import StrEnum


class Rule(StrEnum):
    """In the order in which they count: what a rule finds, a later one does not change."""

    TMDB_ID = "TMDB id"
    IMDB_ID = "IMDb id"
    TITLE = "title and year"
    TITLE_NEXT_YEAR = "title, a year apart"
    EDITION = "title without edition, at most a year apart"
    OTHER_TITLE = "other title and year"
    OTHER_TITLE_NEXT_YEAR = "other title, a year apart"
    TITLE_ALONE = "title alone"

    @property
    def shares(self) -> bool:
        """Several items may have one film by it: as the same film, or as editions of it."""
        return self in (Rule.TMDB_ID, Rule.IMDB_ID, Rule.EDITION)


class Unmatched(StrEnum):
    """Why an item has no film."""

    OTHER_YEAR = "no film of its year"
    NO_SUCH_TITLE = "no such title"
    NO_SUCH_ID = "no film with its ids"
    NO_TITLE = "no title"
    SEVERAL_FILMS = "ambiguous: several films"
    SEVERAL_ITEMS = "ambiguous: several items"
    TAKEN = "another item's film"


AMBIGUOUS = (Unmatched.SEVERAL_FILMS, Unmatched.SEVERAL_ITEMS)
"""Where one would have to guess."""
