"""The command `nightreel`: what needs no Spark. Jobs run through spark-submit.sh."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from nightreel import __version__
from nightreel.arguments import Parser
from nightreel.errors import BAD_USAGE, DONE, INTERRUPTED, NightreelError
from nightreel.progress import step
from nightreel.sample import CROWDS, LAYOUTS, Dump, Format, Layout, generate

_SUFFIXES = {"k": 1_000, "m": 1_000_000}
_RATINGS_PER_BROKEN_LINE = 8_000
_RATINGS_PER_DUPLICATE, _MOST_DUPLICATES = 16_000, 100
_RATINGS_WORTH_PROCESSES, _MOST_PROCESSES = 5_000_000, 8

_DESCRIPTION = "Recommenders retrained every night: from a raw rating dump to Delta tables."
_EPILOG = """\
examples:
  nightreel sample --out data/demo
  nightreel sample --ratings 22M --out /tmp/dump --seed 7
The jobs (ingest, prepare, train, nightly, ...) run through ./spark-submit.sh; without arguments it lists them.
"""

_SAMPLE = """\
Write generated ratings, or descriptions of films, in the raw format of a public dataset.

Every user likes one or two of six genres and rates their films more often and about a star higher; the invented
titles, tags, casts and plots give the genre away, so that a person sees whether recommendations are good. There are
popular and obscure films, busy and occasional users, mild and strict ones, as many and as unevenly spread as in the
real dataset. Ratings are dated 1999-11-11 to 2005-12-31, and opinions move with them: genres come into fashion and go
out of it in waves of three years (0.3 stars up and down), and each user's tastes drift. The films of a seed are the
same in every format. The same arguments write the same bytes, in however many processes. Takes about a second for
every million ratings and process.
"""
_SAMPLE_EPILOG = """\
writes into DIR:
  netflix      combined_data_1.txt ..  `movie:` lines, each followed by `user,stars,date` lines (one file per 25
                   million ratings, at most four); with --layout training_set a training_set/mv_*.txt a movie instead
               movie_titles.csv  `movie,year,title` in Latin-1, nothing quoted, some years NULL
               probe.txt         some of the last year's ratings, by movie and user, to hold out as a test
               qualifying.txt    pairs of movie and user, with a date, that have no rating
  movielens    ratings.csv (half stars, by user and movie), movies.csv, links.csv, tags.csv; with --layout zip all of
                   them in ml-sample.zip
  kmrd         rates.csv (1 to 10, some pairs repeated), movies.txt (Korean and English titles), genres.csv,
                   castings.csv, countries.csv, peoples.txt
  metadata     movies_metadata.csv, keywords.csv and credits.csv as in The Movies Dataset, of the films that any other
                   format has with the same --seed and --ratings (or --movies), and of some namesakes; with --layout
                   tmdb_5000 tmdb_5000_movies.csv and tmdb_5000_credits.csv. May lie in one folder with ratings.

examples:
  nightreel sample --out data/demo
  nightreel sample --ratings 1M --broken 0 --duplicates 0 --layout training_set --out data/clean
  nightreel sample --format movielens --ratings 22_000_000 --processes 4 --out data/large
  nightreel sample --format metadata --ratings 22_000_000 --out data/large
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
    doing = "describe films" if flags.format == "metadata" else f"write {flags.ratings:,} ratings"
    try:
        with step(doing, quiet=flags.quiet):
            dump = generate(
                flags.out,
                format=flags.format,
                ratings=flags.ratings,
                seed=flags.seed,
                broken_lines=_usual_broken(flags) if flags.broken is None else flags.broken,
                duplicates=_usual_duplicates(flags) if flags.duplicates is None else flags.duplicates,
                users=flags.users,
                movies=flags.movies,
                layout=flags.layout,
                processes=_usual_processes(flags.ratings) if flags.processes is None else flags.processes,
                overwrite=flags.overwrite,
            )
    except OSError as error:
        raise NightreelError(f"--out {flags.out}: {error.strerror or error}; nothing there was replaced") from error
    if not flags.quiet:
        print(_account(dump))


def _usual_broken(flags: argparse.Namespace) -> int:
    """The Prize's dump as people pass it on has broken lines; the others are published whole."""
    return int(flags.ratings) // _RATINGS_PER_BROKEN_LINE if flags.format == "netflix" else 0


def _usual_duplicates(flags: argparse.Namespace) -> int:
    if flags.format == "netflix":
        return min(int(flags.ratings) // _RATINGS_PER_DUPLICATE, _MOST_DUPLICATES)
    return int(CROWDS[flags.format].repeats * flags.ratings) if flags.format in CROWDS else 0


def _usual_processes(ratings: int) -> int:
    return min(os.cpu_count() or 1, _MOST_PROCESSES) if ratings >= _RATINGS_WORTH_PROCESSES else 1


def _account(dump: Dump) -> str:
    files = str(dump.names[0]) if len(dump.names) == 1 else f"{dump.names[0]} .. {dump.names[-1]}"
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in dump.broken.items())
    rows = f"{dump.ratings:,} ratings by {dump.users:,} users of {dump.movies:,} movies, {dump.duplicates:,} of them "
    described = f"descriptions of {dump.movies:,} movies and some namesakes, {dump.duplicates:,} more with "
    metadata = dump.format == "metadata"
    return "\n".join(
        [
            f"{dump.folder}: {', '.join([files, *map(str, dump.names_beside)])}",
            f"{described}an id a second time" if metadata else f"{rows}a second rating of the same movie",
            f"{dump.broken_lines:,} broken lines besides" + (f": {kinds}" if kinds else ""),
        ]
    )


def _parser() -> Parser:
    parser = Parser(prog="nightreel", description=_DESCRIPTION, epilog=_EPILOG)
    parser.add_argument("--version", action="version", version=f"nightreel {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    sample = commands.add_parser(
        "sample",
        help="write generated ratings, or descriptions of films, in a raw format",
        description=_SAMPLE,
        epilog=_SAMPLE_EPILOG,
    )
    _add_sample_flags(sample)
    return parser


def _add_sample_flags(sample: argparse.ArgumentParser) -> None:
    def number(name: str, explained: str, *, default: int | None = None) -> None:
        sample.add_argument(name, type=_number, default=default, metavar="N", help=explained)

    sample.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write to, made if missing")
    sample.add_argument("--format", choices=get_args(Format), default="netflix", help="default: netflix")
    number("--ratings", "good ratings, exactly: 200_000, 200k, 22M (default: 200k)", default=200_000)
    number("--seed", "another seed, other users and films (default: 1)", default=1)
    number("--broken", "lines besides that no reader can accept (default: netflix one for 8,000 ratings, others none)")
    number(
        "--duplicates",
        "how many ratings repeat a pair later (default: netflix one for 16,000, at most 100; kmrd 4.5 %%)",
    )
    number("--users", "how many users (default: as in the real dataset, for so many ratings)")
    number("--movies", "how many movies (default: likewise)")
    layouts = "; ".join(f"{name}: {' or '.join(some)}" for name, some in LAYOUTS.items())
    sample.add_argument("--layout", choices=get_args(Layout), help=f"{layouts} (default: the first)")
    number("--processes", "how many work at once (default: 1; from 5 million ratings on one a core, at most 8)")
    sample.add_argument("--overwrite", action="store_true", help="replace a dump of the format that lies in DIR")
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
