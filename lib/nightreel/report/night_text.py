"""A night's report as text for a terminal or a log."""

from __future__ import annotations

import io
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import zip_longest
from typing import TextIO

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from nightreel.evaluate import shown_length
from nightreel.report.night import NightReport, UserPicture
from nightreel.tables import sql_text

WIDTH = 100
_MEANS = ("user_mean", "item_mean", "mean_of_means", "weighted_mean")
_LABELS = {"rmse": "RMSE", "mae": "MAE", "ndcg": "nDCG", "recall": "recall", "catalogue_coverage": "coverage"}
_LOWER_IS_BETTER = ("rmse", "mae")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""Control characters that act on a terminal: C0, C1, line separators and changes of the writing direction."""
_LARGER = {"als": 32, "als_block": 32, "als_implicit": 64}
"""Larger ranks than in conf/models.toml."""


def show(
    report: NightReport, *, options: Sequence[str] = (), pairs: str | None = None, stream: TextIO | None = None
) -> None:
    """Print the report on the stream (standard output by default): plain text of 100 columns, unless on a terminal.

    `options` and `pairs` are those of `render`.
    """
    target = sys.stdout if stream is None else stream
    if isinstance(target, io.TextIOWrapper):
        target.reconfigure(errors="replace")  # a title outside the terminal's encoding must not fail a night
    console = Console(file=target, width=None if target.isatty() else WIDTH, highlight=False)
    console.print(render(report, options=options, pairs=pairs), crop=False)


def render(report: NightReport, *, options: Sequence[str] = (), pairs: str | None = None) -> RenderableType:
    """The report as rich's renderable.

    Parameters
    ----------
    options : the finished job's options (`--env cluster`, `--set ...`), for the commands suggested at the end
    pairs : a file of pairs to score, such as the dump's qualifying.txt
    """
    return Group(
        _heading(f"The night of {report.run_date}"),
        _rows(report),
        _heading(f"Models, measured on {report.splits.get(report.split, 0):,} held-out ratings ({report.split})"),
        _leaderboard(report.scores),
        _heading(f"User {report.user.user_id}, who gave {report.user.ratings:,} ratings"),
        _tastes(report.user),
        _heading("Tables"),
        *[_line(name) for name in report.tables.values()],
        _heading("What to run next"),
        *[
            line
            for why, command in _next(report, options, pairs)
            for line in (_line(f"# {why}", "dim"), _line(command))
        ],
    )


def _heading(text: str) -> RenderableType:
    return Text(f"\n{_escaped(text)}", style="bold")


def _line(text: str, style: str = "") -> RenderableType:
    """Not wrapped, so that it can be copied."""
    return Text(f"  {_escaped(text)}", style=style, no_wrap=True, overflow="ignore")


def _escaped(text: str) -> str:
    """Control characters as escapes such as \\x1b: titles and ids come from files."""
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def _rows(report: NightReport) -> RenderableType:
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 2))
    table.add_column(no_wrap=True, max_width=60)
    table.add_column(justify="right")
    rejected = sum(report.rejected.values())
    files = "1 file" if report.files == 1 else f"{report.files:,} files"
    table.add_row(f"rows in, from {files}", f"{report.good + rejected:,}")
    table.add_row("rejected", f"{rejected:,}")
    for reason, count in report.rejected.items():
        table.add_row(f"  {reason}", f"{count:,}", style="dim")
    table.add_row("left out as repeated or too sparse", f"{report.good - report.kept:,}")
    table.add_row(f"kept, {report.users:,} users x {report.items:,} items", f"{report.kept:,}", style="bold")
    for split, count in report.splits.items():
        table.add_row(f"  {split}", f"{count:,}", style="dim")
    if report.matched:
        table.add_row(f"found in the metadata, of {sum(report.matched.values()):,} items", f"{report.found:,}")
    for rule, count in report.matched.items():
        table.add_row(f"  {rule}", f"{count:,}", style="dim")
    return table


def _leaderboard(scores: Mapping[str, Mapping[str, float]]) -> RenderableType:
    metrics = _shown_metrics(scores)
    best = {metric: _best(metric, scores) for metric in metrics}
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0), caption="* best", caption_justify="left")
    table.add_column("model", no_wrap=True)
    for metric in metrics:
        name, at, k = metric.partition("@")
        table.add_column(f"{_LABELS[name]}{at}{k}", justify="right", no_wrap=True)
    ordered = sorted(scores, key=lambda model: _rank(model, scores[model]))
    for model, following in zip_longest(ordered, ordered[1:]):
        last_mean = model in _MEANS and following is not None and following not in _MEANS
        cells = [_cell(scores[model].get(metric), best[metric]) for metric in metrics]
        table.add_row(model, *cells, end_section=last_mean)
    return table


def _shown_metrics(scores: Mapping[str, Mapping[str, float]]) -> list[str]:
    found = {metric for metrics in scores.values() for metric in metrics}
    k = shown_length({int(metric.split("@")[1]) for metric in found if "@" in metric})
    wanted = [name if name in _LOWER_IS_BETTER else f"{name}@{k}" for name in _LABELS]
    return [metric for metric in wanted if metric in found]


def _best(metric: str, scores: Mapping[str, Mapping[str, float]]) -> float:
    values = [round(metrics[metric], 4) for metrics in scores.values() if metric in metrics]
    return min(values) if metric in _LOWER_IS_BETTER else max(values)


def _cell(value: float | None, best: float) -> Text:
    if value is None:
        return Text("-  ", style="dim")
    is_best = round(value, 4) == best
    return Text(f"{value:.4f}{' *' if is_best else '  '}", style="bold green" if is_best else "")


def _rank(model: str, metrics: Mapping[str, float]) -> tuple[bool, float, float, str]:
    """Sort key: the means, then the others by falling RMSE, then the models that predict no ratings."""
    ndcg = max((value for metric, value in metrics.items() if metric.startswith("ndcg")), default=0.0)
    return model not in _MEANS, -metrics.get("rmse", 0.0), ndcg, model


def _tastes(user: UserPicture) -> RenderableType:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), expand=True)
    table.add_column("stars", justify="right", no_wrap=True, width=5)
    table.add_column("liked best", no_wrap=True, overflow="ellipsis", ratio=1)
    table.add_column("", justify="right", no_wrap=True, width=3)
    table.add_column(f"recommended by {user.model}", no_wrap=True, overflow="ellipsis", ratio=1)
    for liked, recommended in zip_longest(user.liked, enumerate(user.recommended, 1)):
        left = (f"{liked[1]:g}", Text(_escaped(liked[0]))) if liked else ("", "")
        right = (str(recommended[0]), Text(_escaped(recommended[1]))) if recommended else ("", "")
        table.add_row(*left, *right)
    return table


def _next(report: NightReport, options: Sequence[str], pairs: str | None) -> Sequence[tuple[str, str]]:
    """Comments and commands."""

    def submit(job: str, *flags: str) -> str:
        return f"./spark-submit.sh {shlex.join([job, *flags])}"

    night, user = report.run_date, report.user.user_id
    next_night = submit("nightly", "--run-date", str(night + timedelta(days=1)), *options)
    steps = [("the next night; only new and changed files are read again", next_night)]
    for name, rank in _LARGER.items():
        if name in report.scores:
            larger = submit("nightly", "--run-date", str(night), *options, "--set", f"models.{name}.rank={rank}")
            steps.append(("the same night with a larger ALS; earlier steps are not repeated", larger))
    predicting = {model: metrics["rmse"] for model, metrics in report.scores.items() if "rmse" in metrics}
    if pairs is not None and predicting:
        best = min(predicting, key=lambda model: (predicting[model], model))
        score = submit("score", "--model", best, "--pairs", pairs, *options)
        steps.append(("ratings of pairs that have none", score))
    other_data = submit("nightly", "--set", "data.source=auto", "--set", "data.path=/path/of/the/data")
    user_id = sql_text(user) if isinstance(user, str) else user
    shown = f"SELECT * FROM {report.tables['gold_recommendations']} WHERE user_id = {user_id} ORDER BY run_date, rank"
    return [
        *steps,
        ("MovieLens, KMRD or the Prize's dump; the README describes your own data", other_data),
        ("the recommendations, from any Spark with Delta", shown),
    ]
