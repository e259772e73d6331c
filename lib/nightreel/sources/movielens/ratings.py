"""MovieLens' ratings: how the lines of each form are ratings."""

from __future__ import annotations

from nightreel.errors import DataError
from nightreel.settings import ScaleSettings
from nightreel.sources.delimited import RatingLines
from nightreel.sources.files import RawFile
from nightreel.sources.first_line import first_line
from nightreel.sources.movielens.forms import CSV, DAT
from nightreel.sources.published.finding import Form

_NEEDED = ("userId", "movieId", "rating")


def rating_lines(form: Form, file: RawFile, scale: ScaleSettings) -> RatingLines:
    """How the file's lines are ratings: user, item, rating, seconds since 1970; of CSV by the names in its header.

    Raises
    ------
    DataError : the header lacks a name, or the file cannot be read
    """
    if form is CSV:
        return _by_header(file, scale)
    separator = "::" if form is DAT else "\t"
    return RatingLines(
        separator, 4, user=0, item=1, rating=2, time=3, header=False, lowest=scale.lowest, highest=scale.highest
    )


def _by_header(file: RawFile, scale: ScaleSettings) -> RatingLines:
    line = first_line(file)
    names = [name.strip(' "') for name in line.split(",")]
    if any(name not in names for name in _NEEDED):
        raise DataError(
            f"{file.path}: begins {line[:80]!r}, where MovieLens has userId,movieId,rating,timestamp; "
            'ratings with other columns are read with data.source = "own"'
        )
    user, item, rating = (names.index(name) for name in _NEEDED)
    return RatingLines(
        separator=",",
        fields=len(names),
        user=user,
        item=item,
        rating=rating,
        time=names.index("timestamp") if "timestamp" in names else None,
        header=True,
        lowest=scale.lowest,
        highest=scale.highest,
        quoted='"' in line,
    )
