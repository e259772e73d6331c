"""KMRD as one of ingest's sources."""

from __future__ import annotations

from nightreel.settings import Settings
from nightreel.sources.kmrd.forms import KMRD_FILES
from nightreel.sources.kmrd.items import read_items
from nightreel.sources.kmrd.ratings import rating_lines
from nightreel.sources.published.source import Format, PublishedSource

_FORMAT = Format("KMRD", [KMRD_FILES], version=1, rating_lines=rating_lines, read_items=read_items)


class KMRD(PublishedSource):
    """KMRD of any size, unpacked or in its archives: small, 2m, 5m."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, _FORMAT)
