"""A comparison's figures: models by folds, the leaderboard, error against cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from nightreel.evaluate.comparison import lower_is_better
from nightreel.evaluate.cross_validation import Comparison
from nightreel.report.charts import BLUE, GREY, laid_out
from nightreel.report.page import Part, Section


def sections(comparison: Comparison, metrics: Sequence[str]) -> list[Section]:
    """A section for each metric that something was measured by, and one for what failed.

    Parameters
    ----------
    metrics : each gets a heatmap, a leaderboard and a plot of cost
    """
    found = []
    for metric in (name for name in metrics if comparison.standings(name)):
        parts = [
            Part("Mean over the folds; bars: standard deviation", figure=_leaderboard(comparison, metric)),
            Part("Quality against cost", figure=_costs(comparison, metric)),
            Part("By fold; seconds on hover", figure=_heatmap(comparison, metric), wide=True),
        ]
        found.append(Section(metric.replace("@", "_at_"), _title(metric), parts))
    failures = comparison.failures()
    if failures:
        rows = pd.DataFrame({"candidate": [*failures], "error": [*failures.values()]})
        found.append(Section("failed", "Failed", [Part(table=rows, wide=True)]))
    return found


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
    return laid_out(figure, height=110 + 24 * len(order))


def _leaderboard(comparison: Comparison, metric: str) -> Any:
    """Means over the folds, with their standard deviation."""
    import plotly.graph_objects as go

    standings = comparison.standings(metric)
    figure = go.Figure(
        go.Bar(
            x=[one.mean for one in standings],
            y=[one.label for one in standings],
            orientation="h",
            error_x={"type": "data", "array": [one.std for one in standings], "color": GREY},
            marker_color=[BLUE, *[GREY] * (len(standings) - 1)],
            customdata=[[one.behind, one.error] for one in standings],
            hovertemplate="%{y}: %{x:.4f}<br>behind by %{customdata[0]:.4f} ± %{customdata[1]:.4f}<extra></extra>",
        )
    )
    lowest, highest = min(one.mean - one.std for one in standings), max(one.mean + one.std for one in standings)
    room = (highest - lowest) * 0.05 or 0.01
    if lower_is_better(metric):  # errors lie close together, far from 0
        figure.update_xaxes(range=[lowest - room, highest + room])
    figure.update_yaxes(autorange="reversed")
    return laid_out(figure, x=metric, height=110 + 24 * len(standings))


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
            marker={"size": 10, "color": BLUE},
            hovertemplate="%{text}: %{y:.4f} in %{x:.2f} s<extra></extra>",
        )
    )
    figure.update_xaxes(type="log")
    return laid_out(figure, x="seconds a fold, training and answering", y=metric, height=480)
