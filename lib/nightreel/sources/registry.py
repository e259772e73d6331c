"""The formats by their names in data.source."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from nightreel.settings import Settings
from nightreel.sources.datasets.kmrd import KMRD
from nightreel.sources.datasets.movielens import MovieLens
from nightreel.sources.netflix import NetflixDump
from nightreel.sources.own import OwnData
from nightreel.sources.source import Source

_SOURCES: Mapping[str, Callable[[Settings], Source]] = {
    "netflix": NetflixDump,
    "movielens": MovieLens,
    "kmrd": KMRD,
    "own": OwnData,
    "events": OwnData,
}


def source_of(settings: Settings) -> Source:
    return _SOURCES[settings.data.source](settings)
