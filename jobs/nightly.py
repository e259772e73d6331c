"""Run the whole night: ingest, prepare, train, evaluate, recommend.

Reads the raw files. Writes every table. Run again for the same --run-date, it goes on where it stopped and leaves the
same rows; a step whose settings and inputs are unchanged is not repeated.

    ./spark-submit.sh nightly --run-date 2005-12-31 --set data.path=/data/netflix
"""

import argparse

from nightreel import sources
from nightreel.job import Job, Summary, run
from nightreel.nightly.night import check_models, run_night
from nightreel.settings import Settings


def flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--again", action="store_true", help="repeat every step, also those already done for the date")


def check(settings: Settings, _: argparse.Namespace) -> None:
    check_models(settings)
    sources.check(settings)


def main(job: Job) -> Summary:
    from nightreel import report  # it loads pandas and plotly, which no refusal should wait for

    summary = run_night(job)
    night = report.gather(job.tables, run_date=job.run_date, split=job.settings.evaluate.split)
    report.show(night, options=job.options, pairs=sources.pairs_to_score(job.settings))
    return Summary(notes=summary.notes)


if __name__ == "__main__":
    run(main, __doc__, flags=flags, check=check, alone=True)
