"""What sources of published datasets share: one file of rating lines, and files beside it that describe the items."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession

from nightreel.settings import ScaleSettings, Settings
from nightreel.sources import delimited
from nightreel.sources.files import RawFile
from nightreel.sources.published.finding import Form, find_named_others, find_one
from nightreel.sources.source import Described, Found


@dataclass(frozen=True)
class Format:
    """What tells one published dataset from another."""

    name: str
    forms: Sequence[Form]
    version: int
    """Counted up when a file would be read into other rows than before."""
    rating_lines: Callable[[Form, RawFile, ScaleSettings], delimited.RatingLines]
    read_items: Callable[[SparkSession, Mapping[int, RawFile], int], Described]
    """Of the files, by file_id, with the bytes that a record may have."""


class PublishedSource:
    """See nightreel.sources.source.Source."""

    def __init__(self, settings: Settings, published_as: Format) -> None:
        self._data = settings.data
        self._scale = settings.scale
        self._ingest = settings.ingest
        self._format = published_as

    @property
    def reading(self) -> str:
        depends_on = [self._format.name, self._format.version, self._scale.lowest, self._scale.highest]
        text = json.dumps([*depends_on, self._ingest.max_line_bytes])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def find(self) -> Found:
        dataset = find_one(self._data.path, self._format.forms, name=self._format.name)
        for file in dataset.ratings:
            self._format.rating_lines(dataset.form, file, self._scale)
        others = find_named_others(self._data.items, dataset.form) if self._data.items else dataset.others()
        return Found(dataset.ratings, sorted(others.values(), key=lambda file: file.path))

    def pairs_to_score(self) -> str | None:
        return None

    def settle(self, spark: SparkSession, files: Mapping[int, RawFile]) -> None:
        """The format says how."""

    def survey(self, spark: SparkSession, files: Mapping[int, RawFile], *, into: str | None = None) -> DataFrame:
        return delimited.survey(spark, self._lines(files), self._ingest, into=into)

    def ratings(self, spark: SparkSession, files: Mapping[int, RawFile]) -> DataFrame:
        return delimited.ratings(spark, self._lines(files), self._ingest)

    def items(self, spark: SparkSession, files: Mapping[int, RawFile]) -> Described:
        return self._format.read_items(spark, files, self._ingest.max_line_bytes)

    def _lines(self, files: Mapping[int, RawFile]) -> dict[int, tuple[RawFile, delimited.RatingLines]]:
        forms = {file_id: self._form(file) for file_id, file in files.items()}
        return {
            file_id: (file, self._format.rating_lines(forms[file_id], file, self._scale))
            for file_id, file in files.items()
        }

    def _form(self, file: RawFile) -> Form:
        return next(form for form in self._format.forms if form.is_ratings(file.name))
