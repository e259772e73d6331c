"""What one record tells of a film."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO

import pyarrow as pa

from nightreel.sources.metadata import nested, values
from nightreel.sources.metadata.layout import DIALECT, FILM_COLUMNS
from nightreel.sources.records import FIRST_FIELDS, Cells, Columns, Row, read_columns
from nightreel.sources.survey import Rejected

NO_ID = "a film's id is not a whole number"
KEPT_WITHOUT = "{column} cannot be read; the row is kept without it"

_NAMES = pa.list_(pa.string())
_COLUMNS: Mapping[str, tuple[str, Callable[[str], object], pa.DataType]] = {
    "imdb_id": ("imdb_id", values.imdb_id, pa.string()),
    "title": ("title", values.title, pa.string()),
    "original_title": ("original_title", values.title, pa.string()),
    "year": ("release_date", values.year, pa.int32()),
    "overview": ("overview", values.overview, pa.string()),
    "genres": ("genres", nested.names, _NAMES),
    "keywords": ("keywords", nested.names, _NAMES),
    "cast": ("cast", nested.names, _NAMES),
    "directors": ("crew", nested.directors, _NAMES),
    "countries": ("production_countries", nested.names, _NAMES),
    "vote_average": ("vote_average", values.number, pa.float64()),
    "vote_count": ("vote_count", values.whole_number, pa.int64()),
}
"""By their names in bronze_metadata: the file's name of the column, what reads it, and what it becomes."""

_IDS = ("movie_id", "id")
_NAMED = (*_IDS, *dict.fromkeys(name for name, _, _ in _COLUMNS.values()))

SCHEMA = pa.schema(
    [
        *FIRST_FIELDS,
        pa.field("lines", pa.int64()),
        pa.field("is_film", pa.bool_()),
        pa.field("metadata_id", pa.int64()),
        *(pa.field(name, kind) for name, (_, _, kind) in _COLUMNS.items()),
    ]
)
"""Of `rows`, the file's id before them. `is_film`: the file has a row a film; else it tells more of films that other
files describe. `lines`: 1; 0 where a reason tells what a row that is kept lacks."""


def rows(stream: IO[bytes], *, max_record_bytes: int) -> Iterator[Cells]:
    """The records of an unpacked file, good and bad; columns as in SCHEMA.

    A column that cannot be read, of a record that has an id, is null and has a row of its own that tells so.
    """
    records = read_columns(stream, DIALECT, Columns(_NAMED, optional=_NAMED), max_record_bytes=max_record_bytes)
    for record in records:
        if isinstance(record, Rejected):
            yield _told(record, record.reason, lines=1)
        else:
            yield from _rows(record)


def _rows(record: Row) -> Iterator[Cells]:
    given = dict(zip(_NAMED, record.values, strict=True))
    try:
        metadata_id = values.whole_number(given["movie_id"] or given["id"] or "")
    except ValueError:
        yield _told(record, NO_ID, lines=1)
        return
    cells: list[object] = []
    for name, read, _ in _COLUMNS.values():
        text = given[name]
        try:
            cells.append(read(text) if text and not text.isspace() else None)
        except ValueError:
            cells.append(None)
            yield _told(record, KEPT_WITHOUT.format(column=name), lines=0)
    is_film = all(given[name] is not None for name in FILM_COLUMNS)
    yield (record.position, None, None, 1, is_film, metadata_id, *cells)


def _told(record: Row | Rejected, reason: str, *, lines: int) -> Cells:
    cells: Sequence[object] = (record.position, record.line, reason, lines)
    return (*cells, *[None] * (len(SCHEMA) - 1 - len(cells)))
