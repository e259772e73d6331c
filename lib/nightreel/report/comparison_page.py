"""A comparison as one HTML page that needs no network: models by folds, the leaderboard, error against cost."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nightreel.errors import ConfigurationError
from nightreel.evaluate.comparison import lower_is_better
from nightreel.evaluate.cross_validation import Comparison

_STYLE = """
body { font-family: system-ui, sans-serif; margin: 2rem auto; max-width: 1200px; padding: 0 1rem; color: #1b1f24 }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2.2rem } p { color: #57606a }
"""
_BLUE, _GREY = "#1f6feb", "#8c959f"


def write_page(comparison: Comparison, path: str, *, metrics: Sequence[str], about: str) -> None:
    """Write the page.

    Parameters
    ----------
    metrics : each gets a heatmap, a leaderboard and a plot of cost; those that nothing was measured by are left out
    about : a line on what was compared

    Raises
    ------
    ConfigurationError : plotly is not installed
    """
    try:
        import plotly.io
    except ImportError:
        raise ConfigurationError("--page: needs plotly: install nightreel's extra report") from None
    parts, first = list[str](), True
    for metric in metrics:
        standings = comparison.standings(metric)
        if not standings:
            continue
        parts.append(f"<h2>{html.escape(_title(metric))}</h2>")
        for figure in (_heatmap(comparison, metric), _leaderboard(comparison, metric), _costs(comparison, metric)):
            drawn = plotly.io.to_html(figure, full_html=False, include_plotlyjs=first, config={"displaylogo": False})
            parts.append(drawn)
            first = False
    failures = "".join(
        f"<li><b>{html.escape(label)}</b>: {html.escape(error)}</li>" for label, error in comparison.failures().items()
    )
    failed = f"<h2>Failed</h2><ul>{failures}</ul>" if failures else ""
    Path(path).write_text(
        f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>Models compared</title>"
        f"<style>{_STYLE}</style></head><body><h1>Models compared</h1><p>{html.escape(about)}</p>"
        f"{''.join(parts)}{failed}</body></html>",
        encoding="utf-8",
    )


def _title(metric: str) -> str:
    return f"{metric} ({'lower' if lower_is_better(metric) else 'higher'} is better)"


def _heatmap(comparison: Comparison, metric: str) -> Any:
    """Candidates by folds; hover shows the seconds."""
    import plotly.graph_objects as go

    rows = comparison.results[comparison.results.metric == metric]
    order = [one.label for one in comparison.standings(metric)]

    def by_fold(column: str) -> Any:
        return rows.pivot_table(index="candidate", columns="fold", values=column).reindex(order)

    values = by_fold("value")
    seconds = [by_fold("fit_seconds"), by_fold("predict_seconds")]
    hover = [
        [
            f"{label}, fold {fold}<br>{metric} {values.loc[label, fold]:.4f}"
            f"<br>fit {seconds[0].loc[label, fold]:.2f} s<br>predict {seconds[1].loc[label, fold]:.2f} s"
            for fold in values.columns
        ]
        for label in order
    ]
    numbers = values.to_numpy()
    # One model far behind would leave all others in one colour.
    best, typical = (
        (np.nanmin(numbers), np.nanmedian(numbers)) if lower_is_better(metric) else (np.nanmax(numbers), 0.0)
    )
    worst = best + 2.5 * (typical - best) if lower_is_better(metric) else np.nanmin(numbers)
    figure = go.Figure(
        go.Heatmap(
            z=numbers,
            zmin=min(best, worst),
            zmax=max(best, worst),
            x=[f"fold {fold}" for fold in values.columns],
            y=order,
            text=[[f"{value:.4f}" for value in line] for line in numbers],
            texttemplate="%{text}",
            hovertext=hover,
            hoverinfo="text",
            colorscale="Viridis_r" if not lower_is_better(metric) else "Viridis",
            xgap=2,
            ygap=2,
            colorbar={"title": metric},
        )
    )
    figure.update_yaxes(autorange="reversed")
    return _laid_out(figure, rows=len(order), title="By fold")


def _leaderboard(comparison: Comparison, metric: str) -> Any:
    """Means over the folds, with their standard deviation."""
    import plotly.graph_objects as go

    standings = comparison.standings(metric)
    figure = go.Figure(
        go.Bar(
            x=[one.mean for one in standings],
            y=[one.label for one in standings],
            orientation="h",
            error_x={"type": "data", "array": [one.std for one in standings], "color": "#57606a"},
            marker_color=[_BLUE, *[_GREY] * (len(standings) - 1)],
            customdata=[[one.behind, one.error] for one in standings],
            hovertemplate="%{y}: %{x:.4f}<br>behind by %{customdata[0]:.4f} ± %{customdata[1]:.4f}<extra></extra>",
        )
    )
    lowest, highest = min(one.mean - one.std for one in standings), max(one.mean + one.std for one in standings)
    room = (highest - lowest) * 0.05 or 0.01
    if lower_is_better(metric):  # errors lie close together, far from 0
        figure.update_xaxes(range=[lowest - room, highest + room])
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(title=metric)
    return _laid_out(figure, rows=len(standings), title="Mean over the folds; bars: standard deviation")


def _costs(comparison: Comparison, metric: str) -> Any:
    """The metric against the seconds of training and answering."""
    import plotly.graph_objects as go

    standings = comparison.standings(metric)
    figure = go.Figure(
        go.Scatter(
            x=[max(one.fit_seconds + one.predict_seconds, 1e-3) for one in standings],
            y=[one.mean for one in standings],
            text=[one.label for one in standings],
            mode="markers+text",
            textposition="top center",
            marker={"size": 10, "color": _BLUE},
            hovertemplate="%{text}: %{y:.4f} in %{x:.2f} s<extra></extra>",
        )
    )
    figure.update_xaxes(type="log", title="seconds a fold, training and answering")
    figure.update_yaxes(title=metric)
    return _laid_out(figure, rows=18, title="Quality against cost")


def _laid_out(figure: Any, *, rows: int, title: str) -> Any:
    figure.update_layout(
        title=title,
        template="plotly_white",
        height=140 + 26 * rows,
        margin={"l": 10, "r": 20, "t": 50, "b": 50},
        font={"size": 13},
    )
    figure.update_yaxes(automargin=True)
    return figure
