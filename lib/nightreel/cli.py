"""The command `nightreel`: answers from the tables and generated ratings, without Spark; and runs trained again."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, get_args

from nightreel import __version__
from nightreel.arguments import Parser
from nightreel.ask.commands import Shown, add_command, add_commands, add_place
from nightreel.ask.store import Store, open_store
from nightreel.errors import DONE, INTERRUPTED, ConfigurationError, NightreelError
from nightreel.sample import Dump, Format, Layout, generate
from nightreel.settings import load
from nightreel.tables.keeping import clean, rollback

_SUFFIXES = {"k": 1_000, "m": 1_000_000}
_RATINGS_PER_BROKEN_LINE, _RATINGS_PER_DUPLICATE = 8_000, 16_000

_DESCRIPTION = """\
Recommenders retrained every night: from a raw rating dump to Delta tables.
These commands answer from the tables at once, without Spark; --tables names their folder.
The jobs (ingest, prepare, train, nightly, ...) run through ./spark-submit.sh; without arguments it lists them.
"""
_SAMPLE = """\
Write generated ratings in the raw format of a public dataset.

Every user likes one or two of six genres and rates their movies more often and about a star higher; the invented titles
give the genre away, so that a person sees whether recommendations are good. The same arguments write the same bytes.
"""
_FILES = """\
writes into DIR:
  netflix    combined_data_1.txt ..  `movie:` lines, each followed by `user,stars,date` lines (at most four files); with
                                     --layout training_set a training_set/mv_*.txt a movie instead
             movie_titles.csv        `movie,year,title` in Latin-1, nothing quoted, some years NULL
             probe.txt               some of the last year's ratings, by movie and user, to hold out as a test
             qualifying.txt          pairs of movie and user, with a date, that have no rating
  movielens  ratings.csv             half stars, by user and movie
             movies.csv              titles with their year, and genres

examples:
  nightreel sample --out data/demo
  nightreel sample --format movielens --ratings 22M --seed 7 --broken 0 --duplicates 0 --out data/large
  ./spark-submit.sh nightly --set data.path=data/demo
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a sub-command. Returns the exit code; an error that a person can correct is one line on standard error."""
    try:
        flags = _parser().parse_args(argv)
        flags.command(flags)
    except NightreelError as error:
        print(f"nightreel: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("nightreel: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # as when the output goes to head
        sys.stderr.close()
    return DONE


def _sample(flags: argparse.Namespace) -> None:
    try:
        dump = generate(
            flags.out,
            format=flags.format,
            ratings=flags.ratings,
            seed=flags.seed,
            broken_lines=flags.ratings // _RATINGS_PER_BROKEN_LINE if flags.broken is None else flags.broken,
            duplicates=flags.ratings // _RATINGS_PER_DUPLICATE if flags.duplicates is None else flags.duplicates,
            layout=flags.layout,
        )
    except OSError as error:
        raise NightreelError(f"--out {flags.out}: {error.strerror or error}; the dump is not complete") from error
    print(_summary(dump))


def _report(store: Store, flags: argparse.Namespace) -> Shown:
    try:
        from nightreel.report.report import write_report
    except ImportError as error:
        raise ConfigurationError(f"the report needs {error.name}: install nightreel[spark,report]") from None
    written = write_report(store, flags.out, format="md" if flags.out.endswith(".md") else "html")
    return written, [written]


_KEPT = {
    "--nights": "nights whose runs stay",
    "--rollbacks": "published runs that stay whatever their age",
    "--versions-days": "days that files of older table versions stay",
}
"""Of [retention], which holds where a flag is not given."""


def _rollback(store: Store, flags: argparse.Namespace) -> Shown:
    row = rollback(store.snapshot, to=flags.to, purpose=flags.purpose)
    found = {name: row[name] for name in ("purpose", "run_id", "model", "run_date", "reason")}
    return found, [f"{row['purpose']} by {row['run_id']} of {row['run_date']} serve again ({row['reason']})"]


def _clean(store: Store, flags: argparse.Namespace) -> Shown:
    kept_by = {
        name: value for name in ("nights", "rollbacks", "versions_days") if (value := getattr(flags, name)) is not None
    }
    retention = load(flags.env, flags.set).retention.model_copy(update=kept_by)
    kept = clean(store.snapshot, **retention.model_dump())
    said = f"removed {kept.removed_runs} runs, {kept.removed_bytes / 1e6:.1f} MB; {kept.runs} runs stay"
    return kept._asdict(), [said]


def _reproduce(flags: argparse.Namespace) -> None:
    """The job, with Spark, in this process."""
    from nightreel.job.entry import main as run_job

    settings = [*flags.set]
    if flags.tables:
        dataset = open_store(flags.tables, flags.dataset).snapshot.dataset
        settings += [f"tables.root={flags.tables}", f"tables.dataset={dataset}"]
    options = [word for text in settings for word in ("--set", text)]
    run_job(["reproduce", flags.run_id, "--env", flags.env, *options])


def _summary(dump: Dump) -> str:
    first, last = (file.relative_to(dump.folder) for file in (dump.files[0], dump.files[-1]))
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in dump.broken.items())
    return (
        f"{dump.folder}: {first}{f' .. {last}' if last != first else ''}\n"
        f"{dump.ratings:,} ratings by {dump.users:,} users of {dump.movies:,} movies, "
        f"{dump.duplicates:,} of them a second rating of the same movie\n"
        f"{sum(dump.broken.values()):,} broken lines besides: {kinds}"
    )


def _parser() -> Parser:
    parser = Parser(prog="nightreel", description=_DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"nightreel {__version__}")
    parser.add_argument(
        "--completion",
        action=_Completion,
        choices=("bash", "zsh", "tcsh"),
        help="print a script for the shell and exit",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    add_commands(commands)
    report = add_command(commands, "report", _report, "a report of all tables, as one HTML file or Markdown")
    report.add_argument("--out", metavar="PATH", default="report.html", help="default: report.html; .md for Markdown")
    back = add_command(commands, "rollback", _rollback, "let the run that served before serve again")
    back.add_argument("--to", metavar="RUN_ID", help="a run that served (default: the one before)")
    back.add_argument("--purpose", choices=("lists", "ratings"), default="lists", help="default: lists")
    keep = add_command(commands, "clean", _clean, "remove old runs, lists and files that nothing needs")
    for flag, what in _KEPT.items():
        kind = float if flag == "--versions-days" else int
        keep.add_argument(flag, type=kind, metavar="N", help=f"{what} (default: that of [retention])")
    again = commands.add_parser(
        "reproduce", help="train a run again and compare its metrics", description="As ./spark-submit.sh reproduce."
    )
    again.add_argument("run_id", metavar="RUN_ID")
    add_place(again)
    again.set_defaults(command=_reproduce)
    sample = commands.add_parser("sample", help="write generated ratings", description=_SAMPLE, epilog=_FILES)
    number = partial(sample.add_argument, type=_number, metavar="N")
    number("--ratings", default=200_000, help="good ratings, exactly: 200_000, 200k, 22M (default: 200k)")
    number("--seed", default=1, help="another seed, other users and movies (default: 1)")
    number("--broken", help="further lines that no reader accepts (default: one for 8,000 ratings)")
    number("--duplicates", help="how many ratings repeat a pair later (default: one in 16,000)")
    sample.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write to, empty or missing")
    sample.add_argument("--format", choices=get_args(Format), default="netflix", help="default: netflix")
    sample.add_argument("--layout", choices=get_args(Layout), default="combined", help="of netflix (default: combined)")
    sample.set_defaults(command=_sample)
    return parser


class _Completion(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *given: Any) -> NoReturn:
        import shtab

        print(shtab.complete(parser, shell=given[1]))
        parser.exit()


def _number(text: str) -> int:
    factor = _SUFFIXES.get(text[-1:].lower(), 1)
    digits = text[:-1] if factor > 1 else text
    try:
        value = int(digits.replace(",", "")) * factor
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number such as 200_000, 200k or 22M") from None
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is below 0")
    return value


if __name__ == "__main__":
    sys.exit(main())
