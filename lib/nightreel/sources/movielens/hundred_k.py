"""The films of MovieLens 100K: u.item, whose genres are flags, and u.genre, which names them."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from nightreel.sources.files import RawFile
from nightreel.sources.lines.segments import Segment, open_lines
from nightreel.sources.lines.tasks import FAULTS
from nightreel.sources.movielens.titles import without_year, year_in
from nightreel.sources.records.judging import NOT_AN_ID, rejected_repeats, rejected_where, text_or_null, whole_number

GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy",
    "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip
"""In the order of their flags, as published."""

FLAGS = tuple(f"flag{place}" for place in range(len(GENRES)))
ITEM_COLUMNS = ("movieId", "title", "released", "on_video", "url", *FLAGS)
GENRE_COLUMNS = ("genre", "place")
NOT_A_FLAG = "a genre's flag is neither 0 nor 1"
NOT_A_GENRE = f"not a genre and its place, 0 to {len(GENRES) - 1}"
_NO_GENRE = "unknown"
_MAX_BYTES = 65_536


def films(records: DataFrame, genres: Sequence[str] = GENRES) -> DataFrame:
    """Records of u.item as films: item_id, title, year, genres; without a year in the title, that of the release."""
    released = F.nullif(F.regexp_extract("released", r"([0-9]{4})\s*$", 1), F.lit("")).cast("int")
    flagged = [F.when(F.trim(flag) == "1", name) for flag, name in zip(FLAGS, genres, strict=True) if name != _NO_GENRE]
    told = records.withColumns(
        {
            "item_id": whole_number("movieId"),
            "year": F.coalesce(year_in("title"), released),
            "title": without_year("title"),
            "genres": F.array_compact(F.array(*flagged)),
        }
    )
    flags = F.array(*(F.trim(flag) for flag in FLAGS))
    judged = rejected_where(told, F.exists(flags, lambda flag: ~flag.isin("0", "1")), NOT_A_FLAG)
    judged = rejected_where(judged, F.col("item_id").isNull(), NOT_AN_ID)
    return rejected_repeats(judged, "item_id")


def genres_named(records: DataFrame) -> DataFrame:
    """Records of u.genre, told good or bad."""
    place = whole_number("place")
    good = text_or_null("genre").isNotNull() & place.isNotNull() & (place < len(GENRES))
    return rejected_where(records, ~good, NOT_A_GENRE)


def genre_names(file: RawFile | None) -> tuple[str, ...]:
    """The genres in the order of their flags, as u.genre names them; as published where it does not, or is damaged."""
    names = dict(enumerate(GENRES))
    for line in _beginning(file).splitlines() if file else ():
        name, _, place = line.rpartition("|")
        if name.strip() and place.strip().isdecimal() and int(place) in names:
            names[int(place)] = name.strip()
    return tuple(names.values())


def _beginning(file: RawFile) -> str:
    try:
        with open_lines(Segment(0, file.path, 0, file.size)) as stream:
            return stream.read(_MAX_BYTES).decode("utf-8", "replace")
    except FAULTS:
        return ""  # the survey, which reads the file too, tells that it is damaged
