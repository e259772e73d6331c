"""Films' descriptions: The Movies Dataset's and TMDB 5000's files to bronze_metadata."""

from nightreel.sources.metadata.films import METADATA_READING, read_metadata
from nightreel.sources.metadata.layout import find_metadata

__all__ = ["METADATA_READING", "find_metadata", "read_metadata"]
