"""Cross-validate many models on the same folds, and show which is best at what cost.

Reads silver_interactions, silver_users, silver_items, silver_item_text. Writes gold_comparison and, when asked, a page,
a Markdown table and CSV. Run again, it goes on where it stopped; another model joins the same comparison.

    ./spark-submit.sh compare --model popular --model ease --model als_implicit --page compare.html
    ./spark-submit.sh compare --model funk_svd --grid funk_svd.rank=20,50,100 --set compare.metric=rmse
    ./spark-submit.sh compare --tune ease --write ease.toml
"""

import argparse
from pathlib import Path

from nightreel import nightly, report
from nightreel.errors import ConfigurationError
from nightreel.job import Job, Summary, run
from nightreel.settings import Settings


def flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", action="append", default=[], help="repeatable (default: compare.models)")
    parser.add_argument(
        "--grid",
        action="append",
        default=[],
        metavar="MODEL.KEY=V,V",
        help="values to try; repeatable: all combinations",
    )
    parser.add_argument("--tune", metavar="MODEL", help="instead: choose a model's hyperparameters on validation rows")
    parser.add_argument(
        "--write", metavar="PATH", help="with --tune: write the values here, as TOML (default: print them)"
    )
    parser.add_argument(
        "--win-rate",
        action="store_true",
        help="instead: how often each model ranks a loved item above where another does",
    )
    parser.add_argument("--page", metavar="PATH", help="also write an HTML page with charts here")
    parser.add_argument("--markdown", metavar="PATH", help="also write the table in Markdown here")
    parser.add_argument("--csv", metavar="PATH", help="also write all results here")


def check(settings: Settings, flags: argparse.Namespace) -> None:
    if flags.tune and (flags.model or flags.grid or flags.win_rate):
        raise ConfigurationError(
            "--tune: chooses one model's hyperparameters; --model, --grid and --win-rate do not go with it"
        )
    if flags.write and not flags.tune:
        raise ConfigurationError("--write: goes with --tune; a comparison is written by --page, --markdown and --csv")
    for path in filter(None, (flags.page, flags.markdown, flags.csv, flags.write)):
        if not Path(path).absolute().parent.is_dir():
            raise ConfigurationError(f"{path}: there is no folder {Path(path).absolute().parent}")
    nightly.check_comparison(settings, models=[flags.tune] if flags.tune else flags.model, grid=flags.grid)


def main(job: Job) -> Summary:
    if job.flags.win_rate:
        wanted = nightly.check_comparison(job.settings, models=job.flags.model, grid=job.flags.grid)
        return Summary(notes=[report.win_rate_table(nightly.won(job, wanted))])
    if job.flags.tune:
        fragment = nightly.tuned(job, job.flags.tune)
        return Summary(notes=[report.write_fragment(fragment, job.flags.write)])
    wanted = nightly.check_comparison(job.settings, models=job.flags.model, grid=job.flags.grid)
    comparison_id, found = nightly.comparison(job, wanted)
    written = report.write_comparison(
        found, page=job.flags.page, markdown=job.flags.markdown, csv=job.flags.csv, about=nightly.about(job)
    )
    return Summary(
        rows={"candidates": len(wanted), "failed": len(found.failures())},
        tables=("gold_comparison",),
        notes=[*written, f"comparison {comparison_id}", report.comparison_table(found)],
    )


if __name__ == "__main__":
    run(main, __doc__, flags=flags, check=check)
