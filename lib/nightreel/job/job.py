"""What all jobs share: arguments, session, exit codes and the closing summary."""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NoReturn

from pyspark.sql import SparkSession
from rich.console import Console
from rich.table import Table

from nightreel.arguments import Parser
from nightreel.errors import DONE, GATE_REFUSED, INTERRUPTED, NightreelError
from nightreel.job import observe
from nightreel.job.faults import explain
from nightreel.job.lease import lease
from nightreel.models import HYPERPARAMETERS
from nightreel.progress import log_line
from nightreel.progress import step as show_step
from nightreel.session import spark_session
from nightreel.settings import Settings
from nightreel.sources import configured
from nightreel.tables import Tables


@dataclass(frozen=True)
class Summary:
    """What a job did: printed at its end, and kept in gold_steps."""

    rows: Mapping[str, int] = field(default_factory=dict)
    tables: Sequence[str] = ()
    notes: Sequence[str] = ()
    seconds: float = 0.0
    """Of a step of a night."""


@dataclass(frozen=True)
class Job:
    """One run of a job: its session, tables, settings and date."""

    spark: SparkSession
    tables: Tables
    settings: Settings
    run_date: date
    flags: argparse.Namespace
    owns_session: bool = False
    """Whether the session ends with the job."""
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def options(self) -> list[str]:
        """The options that gave this configuration, to repeat them in other commands."""
        return ["--env", self.flags.env, *(word for text in self.flags.set for word in ("--set", text))]

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Show the step while it runs, and keep its seconds for the summary."""
        started = time.monotonic()
        with show_step(name, tasks=lambda: spark_session.tasks(self.spark)):
            yield
        seconds = time.monotonic() - started
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds
        observe.tell(self.settings.observe, "step", run_date=self.run_date, step=name, seconds=round(seconds, 3))

    def skip(self, name: str) -> None:
        """Say that the step is left out."""
        print(f"{name}: already done for this date", file=sys.stderr)


ONLY_CHECK = "NIGHTREEL_CHECK"
"""Set in the environment, a job ends after its settings and arguments are checked: spark-submit.sh asks so first."""

Flags = Callable[[argparse.ArgumentParser], Any]
Check = Callable[[Settings, argparse.Namespace], None]
Main = Callable[[Job], Summary]


def run(
    main: Main, description: str | None, *, flags: Flags | None = None, check: Check | None = None, alone: bool = False
) -> NoReturn:
    """Run a job: parse the arguments, read the settings, start Spark, call `main`, print its summary, exit.

    Parameters
    ----------
    flags : adds the job's own arguments
    check : raises an error if the settings or arguments are wrong; called before Spark starts
    alone : refuse to run while another such job is at work on the same tables
    """
    name = Path(sys.argv[0]).stem
    sys.exit(_execute(name, main, _parser(name, description, flags), check, alone=alone))


def _execute(name: str, main: Main, parser: Parser, check: Check | None, *, alone: bool) -> int:
    root, settings = "the tables", None
    try:
        _find_standard_error()
        parsed = parser.parse_args()
        settings = configured(parsed.env, parsed.set, models=HYPERPARAMETERS)
        root = settings.tables.catalog or settings.tables.root
        observe.check(settings.observe)
        if check is not None:
            check(settings, parsed)
        if os.environ.get(ONLY_CHECK):
            return DONE
        started = time.monotonic()
        job = start(settings, parsed)
        try:
            with lease(job.tables, name) if alone else nullcontext():
                summary = main(job)
            seconds = time.monotonic() - started
            _print(name, job, summary, seconds)
            told = {"rows": dict(summary.rows), "tables": list(summary.tables), "seconds": round(seconds, 3)}
            observe.tell(settings.observe, "done", run_date=job.run_date, job=name, **told)
        finally:
            if job.owns_session:
                spark_session.close(job.spark)
        return DONE
    except KeyboardInterrupt:
        _complain(name, "interrupted; what was committed stays, and the next run resumes from it")
        return INTERRUPTED
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":  # as delta-rs's Rust panics
            raise
        explained = explain(error, root=root)
        log = None if isinstance(error, NightreelError) else log_line(traceback.format_exc())
        if settings is not None:
            event = "refused" if explained.exit_code == GATE_REFUSED else "failed"
            told = {"job": name, "run_date": parsed.run_date, "error": str(explained), "exit_code": explained.exit_code}
            observe.tell(settings.observe, event, **told)
            observe.call_hook(settings.observe, event, **told)
        _complain(name, f"{explained} (details in {log})" if log else str(explained))
        return explained.exit_code


def _find_standard_error() -> None:
    """Write to the stream that spark-submit.sh names: under spark-submit, standard error is a pipe to the JVM."""
    if not (named := os.environ.get("NIGHTREEL_STDERR")):
        return
    try:
        with open(named, "ab", buffering=0) as stream:  # noqa: PTH123 - a descriptor, not a file of ours
            os.dup2(stream.fileno(), sys.stderr.fileno())
    except OSError as error:
        log_line(f"standard error stays with Spark: {error}")


def _parser(name: str, description: str | None, flags: Flags | None) -> Parser:
    parser = Parser(prog=f"spark-submit.sh {name}", description=description)
    parser.add_argument(
        "--env",
        default=os.environ.get("NIGHTREEL_ENV", "local"),
        help="which conf/<env>.toml and conf/spark/<env>.conf (default: NIGHTREEL_ENV, else local)",
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="override one setting; repeatable"
    )
    parser.add_argument(
        "--run-date",
        type=_date,
        default=datetime.now(UTC).date(),
        metavar="YYYY-MM-DD",
        help="the night this run is for (default: today, UTC)",
    )
    parser.add_argument("--remote", metavar="ADDRESS", help="run over Spark Connect: sc://host:port, or local[N]")
    if flags is not None:
        flags(parser)
    return parser


def _date(text: str) -> date:
    try:
        if len(text) != len("YYYY-MM-DD"):  # strptime takes 2026-1-1, fromisoformat also 20260101
            raise ValueError
        return datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date of the form YYYY-MM-DD") from None


def start(settings: Settings, parsed: argparse.Namespace) -> Job:
    """A job with its session: the one that runs, or a new one.

    Parameters
    ----------
    parsed : env, set, remote and run_date, and the job's own flags
    """
    owns_session = not spark_session.running()
    with show_step("start Spark"):
        spark = spark_session.start(
            parsed.env, checkpoints=f"{settings.tables.root.rstrip('/')}/.checkpoints", remote=parsed.remote
        )
    return Job(spark, Tables(spark, settings.tables), settings, parsed.run_date, parsed, owns_session)


def _print(name: str, job: Job, summary: Summary, seconds: float) -> None:
    console = Console(width=None if sys.stdout.isatty() else 100, highlight=False, markup=False, emoji=False)
    table = Table(title=f"{name} · {job.run_date} · {seconds:.1f} s", title_justify="left", box=None, show_header=False)
    table.add_column(style="dim")
    table.add_column(justify="right")
    for label, count in summary.rows.items():
        table.add_row(label, f"{count:,}")
    for label, spent in job.seconds.items():
        table.add_row(f"seconds: {label}", f"{spent:.1f}")
    console.print(table)
    for line in [*(f"wrote {job.tables.name(written)}" for written in summary.tables), *summary.notes]:
        console.print(line, soft_wrap=True)


def _complain(name: str, line: str) -> None:
    print(f"{name}: {' '.join(line.split())}", file=sys.stderr)
