"""Measure trained runs on held-out rows: rating errors and full-catalogue ranking.

Reads silver_interactions, gold_runs and the runs' tables. Writes gold_metrics.

    ./spark-submit.sh evaluate --model als_block --model baseline --set evaluate.k='[5, 10]'
"""

import argparse

from nightreel.job import Job, Summary, run
from nightreel.nightly import chosen_runs, evaluate


def flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", action="append", default=[], help="the newest run of this model; repeatable")
    parser.add_argument("--run-id", action="append", default=[], help="this run; repeatable (default: nightly.models)")


def main(job: Job) -> Summary:
    return evaluate(job, chosen_runs(job, models=job.flags.model, run_ids=job.flags.run_id))


if __name__ == "__main__":
    run(main, __doc__, flags=flags)
