"""KMRD's ratings: `user,movie,rate,time`."""

from __future__ import annotations

from nightreel.errors import DataError
from nightreel.settings import ScaleSettings
from nightreel.sources.delimited import RatingLines
from nightreel.sources.files import RawFile
from nightreel.sources.first_line import first_line
from nightreel.sources.published.finding import Form

_HEADER = "user,movie,rate,time"


def rating_lines(form: Form, file: RawFile, scale: ScaleSettings) -> RatingLines:  # noqa: ARG001
    """How the file's lines are ratings: user, item, rating, seconds since 1970.

    Raises
    ------
    DataError : it has another header, or cannot be read
    """
    line = first_line(file)
    if line != _HEADER:
        raise DataError(
            f"{file.path}: begins {line[:80]!r}, where KMRD has {_HEADER}; "
            'ratings with other columns are read with data.source = "own"'
        )
    return RatingLines(
        ",", 4, user=0, item=1, rating=2, time=3, header=True, lowest=scale.lowest, highest=scale.highest
    )
