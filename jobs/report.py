"""Write a report of all tables: the data, the models compared and measured, the nights, and what people get.

Reads the tables; writes one HTML file that opens offline, or Markdown for a pull request or a mail.

    ./spark-submit.sh report --out report.html
    ./spark-submit.sh report --format md --out report.md
"""

import argparse
from pathlib import Path

from nightreel.ask import Store
from nightreel.errors import ConfigurationError
from nightreel.job import Job, Summary, run
from nightreel.report.report import write_report
from nightreel.settings import Settings
from nightreel.tables.catalog import snapshot_of


def flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", metavar="PATH", help="the file (default: report.html, or report.md)")
    parser.add_argument("--format", choices=("html", "md"), default="html")


def check(_: Settings, flags: argparse.Namespace) -> None:
    flags.out = flags.out or f"report.{flags.format}"
    if not Path(flags.out).absolute().parent.is_dir():
        raise ConfigurationError(f"--out {flags.out}: there is no folder {Path(flags.out).absolute().parent}")


def main(job: Job) -> Summary:
    with job.step("report"):
        store = Store(snapshot_of(job.tables, job.settings.tables))
        written = write_report(store, job.flags.out, format=job.flags.format, metric=job.settings.compare.metric)
    return Summary(notes=[written])


if __name__ == "__main__":
    run(main, __doc__, flags=flags, check=check)
