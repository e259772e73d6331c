"""Write the best unseen items of every user, and the items most similar to each item.

Reads silver_interactions, silver_users, silver_items, gold_runs and the run's tables. Writes gold_recommendations,
gold_similar_items.

    ./spark-submit.sh recommend --model ease --set recommend.n=20
"""

import argparse

from nightreel.job import Job, Summary, run
from nightreel.nightly import chosen_run, recommend


def flags(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--model", help="the newest run of this model (default: recommend.model, or the best nDCG with auto)"
    )
    which.add_argument("--run-id", help="this run")


def main(job: Job) -> Summary:
    return recommend(job, chosen_run(job, model=job.flags.model, run_id=job.flags.run_id))


if __name__ == "__main__":
    run(main, __doc__, flags=flags)
