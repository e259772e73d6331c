"""A comparison as text: a table for the terminal, Markdown and CSV."""

from __future__ import annotations

import io
import math
from pathlib import Path

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from nightreel.evaluate import shown_length
from nightreel.evaluate.comparison import RATING_METRICS, lower_is_better
from nightreel.evaluate.cross_validation import Comparison
from nightreel.report.comparison_charts import sections
from nightreel.report.page import as_html

WIDTH = 130
_SHOWN = ("rmse", "mae", "ndcg", "recall", "hit_rate", "catalogue_coverage")
_TITLES = {
    "rmse": "RMSE",
    "mae": "MAE",
    "ndcg": "nDCG",
    "map": "MAP",
    "hit_rate": "hits",
    "catalogue_coverage": "coverage",
}


def shown_metrics(comparison: Comparison) -> list[str]:
    """The metric of the order first, then the usual ones, of lists those of the same length."""
    first = comparison.metric
    known = list(comparison.results.metric.dropna().unique())
    lengths = {int(name.partition("@")[2]) for name in known if "@" in name}
    length = int(first.partition("@")[2]) if "@" in first else shown_length(lengths)
    usual = [name if name in RATING_METRICS else f"{name}@{length}" for name in _SHOWN]
    return [first, *(name for name in usual if name in known and name != first)]


def table(comparison: Comparison) -> str:
    """The leaderboard as plain text; of the metric of the order also the standard deviation."""
    metrics = shown_metrics(comparison)
    drawn = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        caption="* best; behind: paired difference to the best ± its standard error",
        caption_justify="left",
    )
    drawn.add_column("model", no_wrap=True)
    for metric in metrics:
        drawn.add_column(_title(metric), justify="right", no_wrap=True)
        if metric == comparison.metric:
            drawn.add_column("behind", justify="right", no_wrap=True)
    for title in ("fit s", "predict s", "MiB"):
        drawn.add_column(title, justify="right", no_wrap=True)
    for row in _rows(comparison, metrics):
        drawn.add_row(*map(Text, row))
    target = io.StringIO()
    Console(file=target, width=WIDTH, highlight=False).print(drawn)
    failed = [f"{label}: {error}" for label, error in comparison.failures().items()]
    return "\n".join([target.getvalue().rstrip(), *(f"failed: {line}" for line in failed)])


def write_comparison(
    comparison: Comparison, *, page: str | None, markdown: str | None, csv: str | None, about: str
) -> list[str]:
    """Write the files whose paths are given; returns a line for each. `about`: what was compared."""
    if page is not None:
        lists = [metric for metric in shown_metrics(comparison) if metric.startswith("ndcg")]
        charts = dict.fromkeys([comparison.metric, "rmse", *lists])
        Path(page).write_text(
            as_html("Models compared", sections(comparison, [*charts]), about=about), encoding="utf-8"
        )
    if markdown is not None:
        write_markdown(comparison, markdown)
    if csv is not None:
        write_csv(comparison, csv)
    return [f"wrote {path}" for path in (page, markdown, csv) if path is not None]


def win_rate_table(rates: pd.DataFrame) -> str:
    """Rows over columns, as plain text."""
    shown = rates.map(lambda rate: "-" if math.isnan(rate) else f"{rate:.3f}")
    return f"share of loved items that the row ranks above where the column does\n{shown.to_string()}"


def write_fragment(fragment: str, path: str | None) -> str:
    """Write it, if there is a path; returns what to print."""
    if path is None:
        return fragment
    Path(path).write_text(fragment, encoding="utf-8")
    return f"wrote {path}"


def write_markdown(comparison: Comparison, path: str) -> None:
    """The leaderboard as a Markdown table."""
    metrics = shown_metrics(comparison)
    titles = ["model"]
    for metric in metrics:
        titles += [_title(metric), *(["behind"] if metric == comparison.metric else [])]
    titles += ["fit s", "predict s", "MiB"]
    lines = [titles, ["---", *["---:"] * (len(titles) - 1)], *_rows(comparison, metrics)]
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    failed = "".join(f"\nFailed: `{label}`: {error}\n" for label, error in comparison.failures().items())
    Path(path).write_text(f"{text}\n{failed}", encoding="utf-8")


def write_csv(comparison: Comparison, path: str) -> None:
    """All results; grain fold x candidate x metric."""
    comparison.results.sort_values(["candidate", "fold", "metric"]).to_csv(path, index=False)


def _rows(comparison: Comparison, metrics: list[str]) -> list[list[str]]:
    figures = {metric: {one.label: one for one in comparison.standings(metric)} for metric in metrics}
    costs = {one.label: one for standings in reversed(figures.values()) for one in standings.values()}
    ordered = list(dict.fromkeys([*figures[comparison.metric], *costs, *comparison.failures()]))
    rows = []
    for label in ordered:
        cells = [label]
        for metric in metrics:
            one = figures[metric].get(label)
            best = one is not None and next(iter(figures[metric])) == label
            spread = f" ± {one.std:.4f}" if one and metric == comparison.metric else ""
            cells.append(f"{one.mean:.4f}{spread}{'*' if best else ' '}" if one else "- ")
            if metric == comparison.metric:
                cells.append(f"{one.behind:.4f} ± {one.error:.4f}" if one and not math.isnan(one.error) else "-")
        cost = costs.get(label)
        if cost is None:
            cells += ["-", "-", "-"]
        else:
            peak = "-" if math.isnan(cost.peak_bytes) else f"{cost.peak_bytes / 2**20:,.0f}"
            cells += [f"{cost.fit_seconds:.2f}", f"{cost.predict_seconds:.2f}", peak]
        rows.append(cells)
    return rows


def _title(metric: str) -> str:
    name, at, k = metric.partition("@")
    return f"{_TITLES.get(name, name)}{at}{k}{' (low)' if lower_is_better(metric) and name not in _TITLES else ''}"
