"""Films' descriptions: The Movies Dataset's and TMDB 5000's files to bronze_metadata."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import IO

import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from nightreel.errors import ConfigurationError
from nightreel.settings import IngestSettings, MetadataSettings
from nightreel.sources.files import RawFile, find
from nightreel.sources.judging import CONTROL, TITLE_CONTROL
from nightreel.sources.records import FIRST_FIELDS, Cells, Dialect, Record, names_in_header, read_columns, read_files
from nightreel.sources.source import Described, with_all_columns

METADATA_READING = "films 2"  # another when a file would be read into other rows than before

NO_ID = "a film's id is not a whole number"
KEPT_WITHOUT = "{column} cannot be read; the row is kept without it"
DIALECT = Dialect(",", quoted=True, header=True)
FILM_COLUMNS = frozenset({"id", "title", "overview", "genres", "release_date"})
"""What the header of a file that has a row a film must name."""

_KNOWN_COLUMNS = (FILM_COLUMNS, {"id", "keywords"}, {"id", "cast", "crew"}, {"movie_id", "cast", "crew"})
_BESIDE = {"keywords.csv", "credits.csv", "tmdb_5000_credits.csv"}
_SETTING = "metadata.path"
_EXPECTED = f"movies_metadata.csv and tmdb_5000_movies.csv name {', '.join(sorted(FILM_COLUMNS))} in their headers"
_MAX_RECORD_BYTES = 1_048_576  # a film's cast and crew take up to 200 KB
_FURTHER = ("keywords", "cast", "directors")


def find_metadata(settings: MetadataSettings) -> Sequence[RawFile]:
    """The files of films that the settings name, and what lies beside them with more of the same films.

    Files are recognised by the names in their headers; in folders, globs and archives others are passed over. A packed
    file beside its unpacked twin is left out. Raises ConfigurationError where a path does not exist or holds no such
    file, or none of them has a row a film, and DataError where a file's header cannot be read.
    """
    if not settings.path:
        return []
    named: list[RawFile] = []
    for path in settings.path:
        there = _listed(path, lambda name: name.endswith(".csv"))
        if not there:
            raise ConfigurationError(f"{_SETTING}: {path}: no film metadata there; {_EXPECTED}")
        named += there
    films = [file for file in named if {*names_in_header(file, DIALECT)} >= FILM_COLUMNS]
    if not films:
        raise ConfigurationError(f"{_SETTING}: {', '.join(settings.path)}: no file with a row a film; {_EXPECTED}")
    beside = [_listed(folder, _BESIDE.__contains__) for folder in sorted({file.folder for file in films})]
    found = {file.path: file for files in (named, *beside) for file in files}
    return [found[path] for path in sorted(found) if path.removesuffix(".gz") == path or path[:-3] not in found]


def _listed(path: str, wanted: Callable[[str], bool]) -> list[RawFile]:
    """The files there of a wanted name, of which .gz is no part, whose header is that of one of the formats."""
    files = find(path, setting=_SETTING, in_folder=lambda name: wanted(name.removesuffix(".gz")))
    headers = [{*names_in_header(file, DIALECT)} for file in files]
    return [file for file, has in zip(files, headers, strict=True) if any(has >= names for names in _KNOWN_COLUMNS)]


def read_metadata(spark: SparkSession, files: Mapping[int, RawFile], settings: IngestSettings) -> Described:
    """Films as their files deliver them, the same one perhaps more than once.

    What a film's own row does not tell of keywords, cast and directors comes from the first row with its id that does.
    """
    read = partial(film_rows, max_record_bytes=max(_MAX_RECORD_BYTES, settings.max_line_bytes))
    records = read_files(spark, files, read, SCHEMA)
    good = records.where("reason IS NULL")
    places = F.struct("file_id", "position")
    first = [F.min_by(name, F.when(F.col(name).isNotNull(), places)).alias(f"first_{name}") for name in _FURTHER]
    further = good.where(F.coalesce(*_FURTHER).isNotNull()).groupBy("metadata_id").agg(*first)
    whole = {name: F.coalesce(name, f"first_{name}") for name in _FURTHER}
    films = good.where("is_film").join(further, "metadata_id", "left").withColumns(whole)
    lines = records.select("file_id", "position", "line", "reason", "lines")
    return Described(records, with_all_columns(films, "bronze_metadata"), lines)


def film_rows(stream: IO[bytes], *, max_record_bytes: int) -> Iterator[Cells]:
    """The records of an unpacked file, good and bad; columns as in SCHEMA.

    A column that cannot be read, of a record that has an id, is null and has a row of its own that tells so.
    """
    for record in read_columns(stream, DIALECT, _NAMED, optional=_NAMED, max_record_bytes=max_record_bytes):
        yield from _rows(record)


def _rows(record: Record) -> Iterator[Cells]:
    given = dict(zip(_NAMED, record.fields, strict=True))
    cells: list[object] = []
    unread: list[str] = []
    reason = record.reason
    try:
        metadata_id = None if reason else whole_number(given["movie_id"] or given["id"] or "")
    except ValueError:
        reason = NO_ID
    for name, read, _ in () if reason else _COLUMNS.values():
        text = given[name]
        try:
            cells.append(read(text) if text and not text.isspace() else None)
        except _ControlError:
            reason = TITLE_CONTROL
        except ValueError:
            cells.append(None)
            unread.append(KEPT_WITHOUT.format(column=name))
    nulls = [None] * (len(SCHEMA) - 5)
    if reason:
        yield (record.position, record.line, reason, 1, *nulls)
        return
    for why in unread:
        yield (record.position, record.line, why, 0, *nulls)
    is_film = all(given[name] is not None for name in FILM_COLUMNS)
    yield (record.position, None, None, 1, is_film, metadata_id, *cells)


# The columns of a film. Each function raises ValueError for what is no such value.

_NO_OVERVIEW = re.compile(r"no (?:movie )?overview(?: found| yet| available)?\.?", re.IGNORECASE)


class _ControlError(ValueError):
    pass


def _matched(pattern: str, text: str) -> re.Match[str]:
    match = re.fullmatch(pattern, text.strip())
    if match is None:
        raise ValueError(text)
    return match


def whole_number(text: str) -> int:
    """862, also where it was kept as 862.0."""
    return int(_matched(r"([0-9]{1,18})(?:\.0+)?", text)[1])


def number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def year(text: str) -> int:
    """Of a date such as 1995-10-30."""
    return int(_matched(r"([0-9]{4})(?:-[0-9]{1,2}-[0-9]{1,2})?", text)[1])


def imdb_id(text: str) -> str | None:
    """tt0114709; 0 is none."""
    return None if text.strip() == "0" else _matched(r"tt[0-9]{7,}", text)[0]


def title(text: str) -> str | None:
    """In one line."""
    plain = " ".join(text.split())
    if re.search(CONTROL, plain):
        raise _ControlError(text)
    return plain or None


def overview(text: str) -> str | None:
    """None also where it says that there is none."""
    stripped = re.sub(r"\r(?!\n)", " ", text.strip())
    return None if _NO_OVERVIEW.fullmatch(stripped) else stripped or None


def directors(text: str) -> list[str]:
    """The names of those in a crew whose job is to direct."""
    return names(text, job="Director")


def names(text: str, *, job: str | None = None) -> list[str]:
    """The names in a list of objects, such as [{'id': 16, 'name': 'Animation'}], in their order, each once; of those
    with a job, if it is given.

    Each is in one line, and without what cannot be shown or written as UTF-8: an escape may be half a character.
    """
    value = value_of(text)
    if not isinstance(value, list) or not all(isinstance(one, dict) and "name" in one for one in value):
        raise ValueError("no list of objects with names")
    given = (one["name"] for one in value if job is None or one.get("job") == job)
    found = (name.encode("utf-8", "replace").decode() for name in given if isinstance(name, str))
    plain = (re.sub(CONTROL, "?", " ".join(name.split())) for name in found)
    return list(dict.fromkeys(filter(None, plain)))


def value_of(text: str) -> object:
    """The value that the text is a literal of, as JSON or as Python writes it; nothing of it is evaluated.

    Raises ValueError where it is neither, or is longer than a record may be.
    """
    if len(text) > _MAX_RECORD_BYTES:
        raise ValueError("longer than a record may be")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:  # the last two: nested too deep
        raise ValueError(f"neither JSON nor a Python literal: {type(error).__name__}") from None


_NAMES = pa.list_(pa.string())
_COLUMNS: Mapping[str, tuple[str, Callable[[str], object], pa.DataType]] = {
    "imdb_id": ("imdb_id", imdb_id, pa.string()),
    "title": ("title", title, pa.string()),
    "original_title": ("original_title", title, pa.string()),
    "year": ("release_date", year, pa.int32()),
    "overview": ("overview", overview, pa.string()),
    "genres": ("genres", names, _NAMES),
    "keywords": ("keywords", names, _NAMES),
    "cast": ("cast", names, _NAMES),
    "directors": ("crew", directors, _NAMES),
    "countries": ("production_countries", names, _NAMES),
    "vote_average": ("vote_average", number, pa.float64()),
    "vote_count": ("vote_count", whole_number, pa.int64()),
}
"""By their names in bronze_metadata: the file's name of the column, what reads it, and what it becomes."""

_NAMED = ("movie_id", "id", *dict.fromkeys(name for name, _, _ in _COLUMNS.values()))
_TOLD = {"lines": pa.int64(), "is_film": pa.bool_(), "metadata_id": pa.int64()}
SCHEMA = pa.schema([*FIRST_FIELDS, *pa.schema({**_TOLD, **{name: kind for name, (_, _, kind) in _COLUMNS.items()}})])
"""Of `film_rows`, the file's id before them. `is_film`: the file has a row a film; else it tells more of films that
other files describe. `lines`: 1; 0 where a reason tells what a row that is kept lacks."""
