"""Raw files to bronze tables: a file (or folder) a format, and `ingest`, which all formats share."""

from nightreel.sources.ingest import BRONZE, IngestReport, ingest
from nightreel.sources.netflix import read_pairs as read_prize_pairs

__all__ = ["BRONZE", "IngestReport", "ingest", "read_prize_pairs"]
