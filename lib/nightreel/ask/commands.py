"""The commands that answer from the tables: `nightreel recommend`, `similar`, `explain`, `rate` and others."""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from functools import partial
from pathlib import Path
from typing import Any

from nightreel.ask.items import Item
from nightreel.ask.store import Answer, Store, open_store
from nightreel.errors import ConfigurationError

Shown = tuple[Any, Sequence[Any]]
"""What --json prints, and what a terminal shows."""
_REASONS_SHOWN = 10


def add_commands(commands: Any) -> None:
    """Add a sub-parser for each command; its `command` takes the parsed arguments."""
    add = partial(add_command, commands)
    recommend = add("recommend", _recommend, "the best items of a user, and why")
    recommend.add_argument("user", metavar="USER", help="the user's id")
    similar = add("similar", _similar, "the items most similar to one")
    similar.add_argument("item", metavar="TITLE", help="a title, most of it, or an id")
    explain = add("explain", _explain, "why an item has its score for a user")
    explain.add_argument("user", metavar="USER")
    explain.add_argument("item", metavar="TITLE")
    rate = add("rate", _rate, "the best items of somebody new, from a few titles")
    rate.add_argument("file", nargs="?", metavar="FILE", help="CSV lines: title or id, rating")
    for flag, what in (("--like", "that gets the highest rating"), ("--dislike", "that gets the lowest rating")):
        rate.add_argument(flag, nargs="+", action="extend", default=[], metavar="TITLE", help=f"a title {what}")
    for one in (recommend, similar, explain, rate):
        one.add_argument("--model", help="the newest run of this model (default: the one whose lists are published)")
        one.add_argument("--run", metavar="RUN_ID", help="this run")
    add("popular", _popular, "the items with the most ratings")
    best = add("best", _best, "the items with the best weighted mean, (n * mean + m * global) / (n + m)")
    best.add_argument("--prior", type=float, metavar="M", help="m, in ratings (default: those of an average item)")
    search = add("search", _search, "items by words of title, genres or overview")
    search.add_argument("text", metavar="TEXT")
    add("runs", _runs, "the trained runs, the newest first")
    metrics = add("metrics", _metrics, "what the runs were measured by")
    metrics.add_argument("--model")
    metrics.add_argument("--run", metavar="RUN_ID")
    add("tables", _tables, "the tables: grain, rows and version")


def add_command(commands: Any, name: str, run: Callable[[Store, argparse.Namespace], Shown], what: str) -> Any:
    """Add a sub-parser with what all commands on the tables take; `run` gives what JSON and a terminal show."""
    parser = commands.add_parser(name, help=what, description=f"{what[0].upper()}{what[1:]}. Needs no Spark.")
    add_place(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    if name not in ("explain", "tables", "report", "rollback", "clean"):
        parser.add_argument("-n", type=_count, default=10, metavar="N", help="how many (default: 10)")
    parser.set_defaults(command=partial(_run, run))
    return parser


def add_place(parser: Any) -> None:
    """Add the arguments that say where the tables are."""
    parser.add_argument("--tables", metavar="ROOT", help="the tables' folder (default: tables.root)")
    parser.add_argument("--dataset", help="of --tables (default: the only one)")
    parser.add_argument("--env", default=os.environ.get("NIGHTREEL_ENV", "local"), help="as the jobs take it")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="as the jobs take it")


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return int(text)


def _run(answer: Callable[[Store, argparse.Namespace], Any], flags: argparse.Namespace) -> None:
    found, shown = answer(_store(flags), flags)
    if flags.json:
        print(json.dumps(found, default=_plain, ensure_ascii=False, indent=2))
        return
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False, markup=False, emoji=False)
    for part in shown:
        console.print(part, soft_wrap=isinstance(part, str))


def _store(flags: argparse.Namespace) -> Store:
    if flags.tables is not None:
        return open_store(flags.tables, flags.dataset)
    from nightreel.settings import load

    tables = load(flags.env, flags.set).tables
    if tables.catalog:
        raise ConfigurationError(f"tables.catalog = {tables.catalog}: the commands read tables under a path; use Spark")
    return open_store(tables.root, flags.dataset or tables.dataset)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _dicts(rows: Iterable[Any]) -> list[dict[str, Any]]:
    return [row._asdict() for row in rows]


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Any:
    """Columns whose name begins with > stand to the right."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", box=None, header_style="dim")
    for column in columns:
        table.add_column(column.removeprefix(">"), justify="right" if column.startswith(">") else "left")
    for row in rows:
        table.add_row(*(Text(str(value)) for value in row))
    return table


def _recommend(store: Store, flags: argparse.Namespace) -> Shown:
    return _answer(
        store.recommend(flags.user, n=flags.n, model=flags.model, run_id=flags.run), f"for user {flags.user}"
    )


def _rate(store: Store, flags: argparse.Namespace) -> Shown:
    ratings = _read_ratings(flags.file) if flags.file else {}
    answer = store.rate(ratings, like=flags.like, dislike=flags.dislike, n=flags.n, model=flags.model, run_id=flags.run)
    return _answer(answer, "for somebody new")


def _answer(answer: Answer, whom: str) -> Shown:
    rows = [(one.rank, one.title, f"{one.score:.3f}", "; ".join(one.why)) for one in answer.suggestions]
    found = {**answer._asdict(), "suggestions": _dicts(answer.suggestions)}
    return found, [_table(f"{whom}, by {answer.run_id}", (">", "title", ">score", "because of"), rows)]


def _read_ratings(path: str) -> Mapping[int | str, float]:
    """A CSV file's ratings by title or id; raises ConfigurationError for a line that is no rating."""
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            lines = [line for line in csv.reader(file) if line]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    found: dict[int | str, float] = {}
    for number, line in enumerate(lines, 1):
        try:
            found[line[0].strip()] = float(line[-1]) if len(line) > 1 else float("")
        except ValueError:
            if number > 1 or len(line) != 2:  # the first may be the columns' names
                raise ConfigurationError(f"{path}, line {number}: {line} is not a title or id and a rating") from None
    return found


def _similar(store: Store, flags: argparse.Namespace) -> Shown:
    item = store.items.find(flags.item)
    found = store.similar(item.item_id, n=flags.n, model=flags.model, run_id=flags.run)
    rows = [(one.rank, one.title, f"{one.similarity:.3f}", f"{one.n_ratings:,}") for one in found]
    return _dicts(found), [_table(f"similar to {item.name}", (">", "title", ">similarity", ">ratings"), rows)]


def _explain(store: Store, flags: argparse.Namespace) -> Shown:
    why = store.explain(flags.user, flags.item, model=flags.model, run_id=flags.run)
    shown = why.reasons[:_REASONS_SHOWN]
    rows = [(one.title, f"{one.rating:g}", f"{one.amount:+.4f}") for one in shown]
    left = why.reasons[_REASONS_SHOWN:]
    if left:
        rows.append((f"{len(left):,} further ratings", "", f"{sum(one.amount for one in left):+.4f}"))
    if why.base:
        rows.append(("whoever asks: the mean and the item itself", "", f"{why.base:+.4f}"))
    if abs(why.rest) > 5e-5:
        rows.append(("left by training", "", f"{why.rest:+.4f}"))
    title = f"{why.title} for user {flags.user}: {why.score:.4f}, by {why.run_id}"
    return {**why._asdict(), "reasons": _dicts(why.reasons)}, [
        _table(title, ("the user's", ">rating", ">gives"), rows),
        f"{why.how[0].upper()}{why.how[1:]}.",
    ]


def _popular(store: Store, flags: argparse.Namespace) -> Shown:
    return _items(store.popular(n=flags.n), "most rated")


def _search(store: Store, flags: argparse.Namespace) -> Shown:
    return _items(store.search(flags.text, n=flags.n), f"items for {flags.text}")


def _items(items: Sequence[Item], title: str) -> Shown:
    rows = [
        (item.item_id, item.name, ", ".join(item.genres), f"{item.n_ratings:,}", f"{item.mean_rating:.2f}")
        for item in items
    ]
    return [asdict(item) for item in items], [_table(title, (">id", "title", "genres", ">ratings", ">mean"), rows)]


def _best(store: Store, flags: argparse.Namespace) -> Shown:
    found = store.best(n=flags.n, prior=flags.prior)
    rows = [
        (place, item.name, f"{weighted:.3f}", f"{item.mean_rating:.2f}", f"{item.n_ratings:,}")
        for place, (item, weighted) in enumerate(found, 1)
    ]
    dicts = [{**asdict(item), "weighted_mean": weighted} for item, weighted in found]
    return dicts, [_table("best by weighted mean", (">", "title", ">weighted mean", ">mean", ">ratings"), rows)]


def _runs(store: Store, flags: argparse.Namespace) -> Shown:
    runs = store.runs()[: flags.n]
    rows = [
        (run.run_id, run.model, run.run_date, f"{(run.finished_at - run.started_at).total_seconds():.1f}")
        for run in runs
    ]
    return [asdict(run) for run in runs], [_table("runs", ("run", "model", "date", ">seconds"), rows)]


def _metrics(store: Store, flags: argparse.Namespace) -> Shown:
    found = list(store.metrics(model=flags.model, run_id=flags.run))
    runs = list(dict.fromkeys((row["run_id"], row["model"], row["split"]) for row in found))[: flags.n]
    names = list(dict.fromkeys(row["metric"] for row in found))
    values = {(row["run_id"], row["split"], row["metric"]): row["value"] for row in found}
    kept = {run_id for run_id, _, _ in runs}

    def measured(run_id: str, split: str) -> list[str]:
        return [_value(values.get((run_id, split, name))) for name in names]

    rows = [(run_id, split, *measured(run_id, split)) for run_id, _, split in runs]
    return (
        [row for row in found if row["run_id"] in kept],
        [_table("metrics", ("run", "split", *(f">{name}" for name in names)), rows)],
    )


def _value(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _tables(store: Store, _: argparse.Namespace) -> Shown:
    found = store.tables()
    rows = [(one.name, one.grain, f"{one.rows:,}", one.version) for one in found]
    return _dicts(found), [_table("tables", ("table", "grain", ">rows", ">version"), rows)]
