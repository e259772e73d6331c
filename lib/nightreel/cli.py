"""The command `nightreel`: what needs no Spark. Jobs run through spark-submit.sh."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn, get_args

from nightreel import __version__
from nightreel.errors import BAD_USAGE, DONE, INTERRUPTED, ConfigurationError, NightreelError
from nightreel.progress import step
from nightreel.sample import Dump, Layout, generate

_SUFFIXES = {"k": 1_000, "m": 1_000_000}
_RATINGS_PER_BROKEN_LINE = 8_000
_RATINGS_PER_DUPLICATE = 16_000

_DESCRIPTION = "Recommenders retrained every night: from a raw rating dump to Delta tables."
_EPILOG = """\
examples:
  nightreel sample --out data/demo
  nightreel sample --ratings 22M --out /tmp/dump --seed 7
The jobs (ingest, prepare, train, nightly, ...) run through ./spark-submit.sh; without arguments it lists them.
"""

_SAMPLE = """\
Write a dump in the raw format of the Netflix Prize, with planted tastes.

Every user likes one or two of six genres and rates their films more often and about a star higher; the invented
titles give the genre away, so that a person sees whether recommendations are good. Ratings are whole stars from
1 to 5, dated 1999-11-11 to 2005-12-31, with popular and obscure films, busy and occasional users, mild and strict ones.
The same arguments write the same bytes. Takes about a second for every million ratings.
"""
_SAMPLE_EPILOG = """\
writes into DIR:
  combined_data_1.txt ..  `movie:` lines, each followed by `user,stars,date` lines (one file per 25 million ratings, at
                          most four); with --layout training_set one training_set/mv_*.txt a movie instead
  movie_titles.csv        `movie,year,title` in Latin-1, nothing quoted, some years NULL
  probe.txt               some of the last year's ratings, by movie and user, to hold out as a test
  qualifying.txt          pairs of movie and user, with a date, that have no rating

examples:
  nightreel sample --out data/demo
  nightreel sample --ratings 1M --broken 0 --duplicates 0 --layout training_set --out data/clean
  ./spark-submit.sh nightly --set data.path=data/demo
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a sub-command; returns the exit code, having said in one line what a person did wrong."""
    arguments = sys.argv[1:] if argv is None else argv
    parser = _parser()
    if not arguments:
        parser.print_help(sys.stderr)
        return BAD_USAGE
    try:
        flags = parser.parse_args(arguments)
        _sample(flags)
    except NightreelError as error:
        print(f"nightreel: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("nightreel: interrupted; nothing was replaced", file=sys.stderr)
        return INTERRUPTED
    return DONE


def _sample(flags: argparse.Namespace) -> None:
    broken, duplicates = flags.broken, flags.duplicates
    try:
        with step(f"write {flags.ratings:,} ratings", quiet=flags.quiet):
            dump = generate(
                flags.out,
                ratings=flags.ratings,
                seed=flags.seed,
                broken_lines=flags.ratings // _RATINGS_PER_BROKEN_LINE if broken is None else broken,
                duplicates=min(flags.ratings // _RATINGS_PER_DUPLICATE, 100) if duplicates is None else duplicates,
                users=flags.users,
                movies=flags.movies,
                layout=flags.layout,
                overwrite=flags.overwrite,
            )
    except OSError as error:
        raise NightreelError(f"--out {flags.out}: {error.strerror or error}; nothing there was replaced") from error
    if not flags.quiet:
        print(_account(dump))


def _account(dump: Dump) -> str:
    files = dump.files[0].name if len(dump.files) == 1 else f"{dump.files[0].name} .. {dump.files[-1].name}"
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in dump.broken.items())
    return "\n".join(
        [
            f"{dump.folder}: {files}, movie_titles.csv, probe.txt, qualifying.txt",
            f"{dump.ratings:,} ratings by {dump.users:,} users of {dump.movies:,} movies, "
            f"{dump.duplicates:,} of them a second rating of the same movie",
            f"{dump.broken_lines:,} broken lines besides" + (f": {kinds}" if kinds else ""),
        ]
    )


class _Parser(argparse.ArgumentParser):
    """One line and exit code 2 instead of the usage text."""

    def error(self, message: str) -> NoReturn:
        raise ConfigurationError(f"{message} (see {self.prog} --help)")


def _parser() -> _Parser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = _Parser(
        prog="nightreel", description=_DESCRIPTION, epilog=_EPILOG, formatter_class=raw, allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"nightreel {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    sample = commands.add_parser(
        "sample",
        help="write a generated dump in the raw Netflix format",
        description=_SAMPLE,
        epilog=_SAMPLE_EPILOG,
        formatter_class=raw,
        allow_abbrev=False,
    )
    _add_sample_flags(sample)
    return parser


def _add_sample_flags(sample: argparse.ArgumentParser) -> None:
    def number(name: str, explained: str, *, default: int | None = None) -> None:
        sample.add_argument(name, type=_number, default=default, metavar="N", help=explained)

    sample.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write to, made if missing")
    sample.add_argument("--format", choices=["netflix"], default="netflix", help="the raw format (default: netflix)")
    number("--ratings", "good ratings, exactly: 200_000, 200k, 22M (default: 200k)", default=200_000)
    number("--seed", "another seed, other users and films (default: 1)", default=1)
    number("--broken", "lines besides that no reader can accept, of five kinds (default: one for 8,000 ratings)")
    number("--duplicates", "how many ratings repeat a pair on a later day (default: one for 16,000, at most 100)")
    number("--users", "how many users (default: as in the real dump, for so many ratings)")
    number("--movies", "how many movies (default: likewise)")
    sample.add_argument("--layout", choices=get_args(Layout), default="combined", help="default: combined")
    sample.add_argument("--overwrite", action="store_true", help="replace a dump that lies in DIR")
    sample.add_argument("--quiet", action="store_true", help="print nothing but errors")


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
