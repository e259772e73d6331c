"""Raw files to bronze tables: a file (or folder) a format, and `ingest`, which all formats share."""

from nightreel.sources.ingest import BRONZE, IngestReport, check, ingest, pairs_to_score
from nightreel.sources.netflix import find_pairs as prize_pairs_file
from nightreel.sources.netflix import read_pairs as read_prize_pairs
from nightreel.sources.quality import DataQuality, measure
from nightreel.sources.quality import keep as keep_quality

__all__ = [
    "BRONZE",
    "DataQuality",
    "IngestReport",
    "check",
    "ingest",
    "keep_quality",
    "measure",
    "pairs_to_score",
    "prize_pairs_file",
    "read_prize_pairs",
]
