"""Films' descriptions: The Movies Dataset's and TMDB 5000's files to bronze_metadata."""

from nightreel.sources.metadata.films import read_metadata
from nightreel.sources.metadata.layout import find_metadata

__all__ = ["find_metadata", "read_metadata"]
