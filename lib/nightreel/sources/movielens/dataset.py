"""MovieLens as one of ingest's sources."""

from __future__ import annotations

from nightreel.settings import Settings
from nightreel.sources.movielens.forms import FORMS
from nightreel.sources.movielens.items import read_items
from nightreel.sources.movielens.ratings import rating_lines
from nightreel.sources.published.source import Format, PublishedSource

_FORMAT = Format("MovieLens", FORMS, version=1, rating_lines=rating_lines, read_items=read_items)


class MovieLens(PublishedSource):
    """MovieLens of any size, unpacked or in its archive: 100K, 1M, 10M, latest-small, 20M, 25M, 32M."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, _FORMAT)
