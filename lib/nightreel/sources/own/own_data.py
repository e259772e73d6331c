"""A user's own ratings, or events, as one of ingest's sources."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cached_property

from pyspark.sql import DataFrame, SparkSession

from nightreel.errors import ConfigurationError
from nightreel.settings import Settings
from nightreel.sources import delimited
from nightreel.sources.delimited import RatingLines
from nightreel.sources.delimited.rating_lines import Ids, bounds, is_separator
from nightreel.sources.files import RawFile
from nightreel.sources.own.columns import TEXT, check_columns, columns_of, header_of
from nightreel.sources.own.ids import is_integer, is_number
from nightreel.sources.own.items import read_items
from nightreel.sources.own.layout import Kind, find_data, kind_of, separator_of
from nightreel.sources.own.table_rows import RowForm, judged, ratings_of, survey_of
from nightreel.sources.source import Described, Found
from nightreel.tables.tables import Tables

_VERSION = 1  # count up when a file would be read into other rows than before
_LINES = (Kind.CSV, Kind.JSON)


class OwnData:
    """Ratings, or events of implicit feedback: see nightreel.sources.source.Source."""

    def __init__(self, settings: Settings) -> None:
        self._data = settings.data
        self._ingest = settings.ingest
        self._tables = settings.tables
        self._events = settings.data.source == "events"
        self._bounds = (None, None) if self._events else (settings.scale.lowest, settings.scale.highest)
        self._ids: Ids = "bigint"  # until `settle` has met others
        self._known_columns: dict[RawFile, Mapping[str, str]] = {}
        self._columns = {role: name for role, name in settings.data.columns.model_dump().items() if name}
        self._item_columns = {role: name for role, name in settings.data.item_columns.model_dump().items() if name}

    @property
    def reading(self) -> str:
        depends_on = [_VERSION, self._columns, self._item_columns, self._data.separator, self._bounds]
        text = json.dumps([*depends_on, self._ingest.max_line_bytes, self._ids])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def find(self) -> Found:
        self._check_settings()
        for file in self._ratings:
            self._columns_of(file, self._columns, "data.columns")
        items = find_data([self._data.items], setting="data.items") if self._data.items else []
        for file in items:
            self._columns_of(file, self._item_columns, "data.item_columns")
        both = {file.path for file in self._ratings} & {file.path for file in items}
        if both:
            raise ConfigurationError(
                f"data.items: {min(both)}: is one of the files of data.path; items need a file of their own"
            )
        return Found(self._ratings, items)

    def pairs_to_score(self) -> str | None:
        return None

    def settle(self, spark: SparkSession, files: Mapping[int, RawFile]) -> None:
        """See nightreel.sources.own.ids."""
        tables = Tables(spark, self._tables)
        there = [tables.read(name) for name in ("bronze_ratings", "bronze_items") if tables.exists(name)]
        # Of both: a run may have ended between the two.
        is_text = any(dict(rows.dtypes)["item_id"] == "string" for rows in there)
        self._ids = "string" if is_text or self._have_text_ids(spark, files) else "bigint"

    def survey(self, spark: SparkSession, files: Mapping[int, RawFile], *, into: str | None = None) -> DataFrame:
        lines, tables = self._lines(files, self._ids), _tables(files)
        if not tables:
            return delimited.survey(spark, lines, self._ingest, into=into)
        of_tables = survey_of(judged(spark, tables, self._row_form(self._ids)))
        return delimited.survey(spark, lines, self._ingest).unionByName(of_tables) if lines else of_tables

    def ratings(self, spark: SparkSession, files: Mapping[int, RawFile]) -> DataFrame:
        lines, tables = self._lines(files, self._ids), _tables(files)
        if not tables:
            return delimited.ratings(spark, lines, self._ingest, ids=self._ids)
        of_tables = ratings_of(judged(spark, tables, self._row_form(self._ids)))
        return delimited.ratings(spark, lines, self._ingest).unionByName(of_tables) if lines else of_tables

    def items(self, spark: SparkSession, files: Mapping[int, RawFile]) -> Described:
        return read_items(
            spark,
            files,
            self._item_columns,
            ids=self._ids,
            separator=self._data.separator,
            max_record_bytes=self._ingest.max_line_bytes,
        )

    @cached_property
    def _ratings(self) -> Sequence[RawFile]:
        return find_data(self._data.path, setting="data.path")

    def _have_text_ids(self, spark: SparkSession, files: Mapping[int, RawFile]) -> bool:
        for file in _tables(files).values():
            types = self._columns_of(file, self._columns, "data.columns") or {}
            if not all(is_integer(types.get(self._columns[role], TEXT)) for role in ("user", "item")):
                return True
        of_lines = self._lines(files, "string")
        if not of_lines:
            return False
        ids = delimited.ids(spark, of_lines, self._ingest)
        return not ids.where(~(is_number("user_id") & is_number("item_id"))).isEmpty()

    def _check_settings(self) -> None:
        if not self._events and "rating" not in self._columns:
            raise ConfigurationError(
                'data.columns.rating is empty: with data.source = "own" it names the column of ratings; '
                'for data without ratings there is data.source = "events"'
            )
        if not is_separator(self._data.separator):
            raise ConfigurationError(
                f"data.separator = {self._data.separator!r}: must be a comma, semicolon, tab or another sign that is "
                "no part of numbers and words"
            )

    def _columns_of(self, file: RawFile, wanted: Mapping[str, str], setting: str) -> Mapping[str, str] | None:
        """The file's columns, `wanted` among them; the file is opened for them once."""
        columns = self._known_columns.get(file) or columns_of(file, self._data.separator)
        if columns is not None:
            self._known_columns[file] = columns
            check_columns(file, columns, wanted, setting=setting)
        return columns

    def _lines(self, files: Mapping[int, RawFile], ids: Ids) -> dict[int, tuple[RawFile, RatingLines]]:
        of_lines = {file_id: file for file_id, file in files.items() if kind_of(file) in _LINES}
        return {file_id: (file, self._form(file, ids)) for file_id, file in of_lines.items()}

    def _form(self, file: RawFile, ids: Ids) -> RatingLines:
        self._columns_of(file, self._columns, "data.columns")
        is_json = kind_of(file) is Kind.JSON
        names = tuple(self._columns.values()) if is_json else header_of(file, self._data.separator)
        places = {role: names.index(name) for role, name in self._columns.items()}
        return RatingLines(
            separator="" if is_json else separator_of(file, self._data.separator),
            fields=len(names),
            user=places["user"],
            item=places["item"],
            rating=places.get("rating"),
            time=places.get("time"),
            header=not is_json,
            ids=ids,
            lowest=self._bounds[0],
            highest=self._bounds[1],
            above_zero=self._events,
            quoted=not is_json,
            keys=names if is_json else (),
        )

    def _row_form(self, ids: Ids) -> RowForm:
        return RowForm(self._columns, ids, bounds(*self._bounds, above_zero=self._events), above_zero=self._events)


def _tables(files: Mapping[int, RawFile]) -> dict[int, RawFile]:
    """Those whose rows Spark reads."""
    return {file_id: file for file_id, file in files.items() if kind_of(file) not in _LINES}
