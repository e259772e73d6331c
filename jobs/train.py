"""Train one or more models on the train split and record each as a run.

Reads silver_interactions, silver_item_text. Writes gold_runs and the model's own tables (gold_user_factors,
gold_item_factors); of a network also its weights, next to the tables, and its epochs to gold_metrics.

    ./spark-submit.sh train --model als_block --set models.als_block.rank=32
    ./spark-submit.sh train --model ncf --set neural.processes=2
"""

import argparse

from nightreel import models
from nightreel.job import Job, Summary, run
from nightreel.nightly import train
from nightreel.settings import Settings


def flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", action="append", required=True, help="a model of conf/models.toml; repeatable")
    parser.add_argument(
        "--resume", action="store_true", help="keep what is finished; go on with a network from its last checkpoint"
    )


def check(settings: Settings, flags: argparse.Namespace) -> None:
    models.check(flags.model, settings)


def main(job: Job) -> Summary:
    return train(job, job.flags.model, resume=job.flags.resume)


if __name__ == "__main__":
    run(main, __doc__, flags=flags, check=check)
