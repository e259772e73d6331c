"""Train a recorded run again and compare its metrics with those recorded; keeps nothing.

Reads silver_interactions at the run's version, gold_runs, gold_metrics. Exit code 1 where the metrics differ by more
than a thousandth.

    ./spark-submit.sh reproduce 2026-01-31-als_block-0123456789ab
"""

import argparse

from nightreel.errors import DataError
from nightreel.job import Job, Summary, run
from nightreel.nightly import reproduce


def flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_id", metavar="RUN_ID")


def main(job: Job) -> Summary:
    found = reproduce(job, job.flags.run_id)
    lines = [
        f"{row.metric}: recorded {row.recorded:.6f}, again {row.again:.6f} ({row.difference:+.1e})"
        for row in found.metrics.itertuples()
    ]
    if not found.is_same:
        raise DataError(f"run {job.flags.run_id}: not the same again: {'; '.join([*lines, *found.notes])}")
    return Summary(notes=[*found.notes, *lines, "the same metrics"])


if __name__ == "__main__":
    run(main, __doc__, flags=flags)
