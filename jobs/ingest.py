"""Read the raw rating files into bronze tables; lines that are no ratings go to quarantine.

Reads the files that data.path, data.items and metadata.path name. Writes bronze_ratings, bronze_items, bronze_files,
bronze_quarantine, bronze_quality and, with metadata, bronze_metadata. Only new or changed files are read; above
ingest.max_reject_share, or where ratings fell by more than ingest.max_drop_share, it refuses and changes nothing.

    ./spark-submit.sh ingest --set data.path=/data/netflix
"""

import argparse

from nightreel import sources
from nightreel.job import run
from nightreel.nightly import ingest
from nightreel.settings import Settings


def check(settings: Settings, _: argparse.Namespace) -> None:
    sources.check(settings)


if __name__ == "__main__":
    run(ingest, __doc__, check=check, alone=True)
