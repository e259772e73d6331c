"""How the lines of a file are ratings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

LARGEST_RATING = (2 - 2**-23) * 2.0**127
SMALLEST_WEIGHT = 2.0**-149
"""What a 4-byte float can tell from infinity, and from 0."""

Ids = Literal["bigint", "string"]
"""What external ids are, as Spark names types."""

_SEPARATOR = re.compile(r"[ \t]|[!#$%&'*,/:;<=>?@\\^_`{|}~]{1,4}")


@dataclass(frozen=True)
class RatingLines:
    """Which fields a line has, and which of them are the rating's. Places count from 0.

    Raises
    ------
    ValueError : no line can have such fields
    """

    separator: str
    """What stands between two fields: `,`, a tab, `::` ..."""
    fields: int
    """How many fields a line has; one with more or fewer is rejected."""
    user: int
    item: int
    rating: int | None
    """None: every line counts 1.0."""
    time: int | None
    """Seconds or milliseconds since 1970, or an ISO 8601 date or time, in UTC unless it says otherwise. An empty field,
    and None, is no time."""
    header: bool
    """The file's first line names the fields."""
    ids: Ids = "bigint"
    lowest: float | None = None
    """The least rating that is no reject; None: any."""
    highest: float | None = None
    above_zero: bool = False
    """Ratings are weights: those of 0 and less are rejected."""
    quoted: bool = False
    """A field may stand in double quotes, and then hold the separator, and quotes if they are doubled. No quote spans
    lines: one that is still open where its line ends makes that line a reject."""
    keys: tuple[str, ...] = ()
    """Of JSON lines: under which names the fields stand in the line's object; a name that is missing is an empty
    field. `separator` and `quoted` then mean nothing."""

    def __post_init__(self) -> None:
        if not self.keys and not is_separator(self.separator):
            raise ValueError(f"{self.separator!r} cannot separate fields")
        if self.quoted and len(self.separator) > 1:
            raise ValueError(f"fields separated by {self.separator!r} cannot stand in quotes")
        places = [place for place in (self.user, self.item, self.rating, self.time) if place is not None]
        if len(set(places)) != len(places) or not all(0 <= place < self.fields for place in places):
            raise ValueError(f"{places} are not different places among {self.fields} fields")

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the largest rating that are no rejects."""
        return bounds(self.lowest, self.highest, above_zero=self.above_zero)


def bounds(lowest: float | None, highest: float | None, *, above_zero: bool) -> tuple[float, float]:
    """The least and the largest rating within the limits given that a 4-byte float can be."""
    least = -LARGEST_RATING if lowest is None else lowest
    return max(least, SMALLEST_WEIGHT) if above_zero else least, LARGEST_RATING if highest is None else highest


def is_separator(text: str) -> bool:
    """Whether the text can stand between fields: blanks, quotes, and what numbers and words are made of cannot, but a
    single blank or tab can."""
    return _SEPARATOR.fullmatch(text) is not None
