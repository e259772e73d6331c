"""Raw files to bronze tables: a file (or folder) a format, and `ingest`, which all formats share."""

from nightreel.sources.held_out import HeldOutPairs, held_out_file, read_held_out, read_pairs
from nightreel.sources.ingest import IngestReport, check, ingest, pairs_to_score
from nightreel.sources.inventory import BRONZE
from nightreel.sources.quality import DataQuality, measure, unmeasured
from nightreel.sources.quality import keep as keep_quality
from nightreel.sources.recognise import configured

__all__ = [
    "BRONZE",
    "DataQuality",
    "HeldOutPairs",
    "IngestReport",
    "check",
    "configured",
    "held_out_file",
    "ingest",
    "keep_quality",
    "measure",
    "pairs_to_score",
    "read_held_out",
    "read_pairs",
    "unmeasured",
]
