"""Predict ratings for given pairs of users and items.

Reads the pairs (the Prize's probe.txt or qualifying.txt; or CSV, Parquet or a Delta table with the columns user_id and
item_id), silver_users, silver_items, gold_runs and the run's tables. Writes gold_predictions and, when asked, a file.

    ./spark-submit.sh score --model als_block --pairs /data/netflix/qualifying.txt --text predictions.txt
"""

import argparse

from nightreel.job import Job, Summary, run
from nightreel.nightly import RATINGS, chosen_run, score
from nightreel.settings import Settings, refuse_secrets


def flags(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--model", help="the newest run of this model (default: recommend.model, or the best RMSE with auto)"
    )
    which.add_argument("--run-id", help="this run")
    parser.add_argument("--pairs", required=True, metavar="PATH", help="the pairs; .txt: the Prize's format")
    parser.add_argument("--csv", metavar="PATH", help="also write user_id,item_id,prediction here")
    parser.add_argument("--text", metavar="PATH", help="also write here in the Prize's format")


def check(_: Settings, flags: argparse.Namespace) -> None:
    refuse_secrets("--pairs", flags.pairs)


def main(job: Job) -> Summary:
    chosen = chosen_run(job, model=job.flags.model, run_id=job.flags.run_id, purpose=RATINGS)
    return score(job, chosen, pairs=job.flags.pairs, csv=job.flags.csv, text=job.flags.text)


if __name__ == "__main__":
    run(main, __doc__, flags=flags, check=check)
