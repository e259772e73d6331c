"""The report's figures, from the frames of `aggregates`; of plotly, with colours that hold on light and dark."""

from __future__ import annotations

from typing import Any

import pandas as pd

from nightreel.report.aggregates import Predicted

_FEW_DATES = 7
BLUE, ORANGE, GREY = "#4c8dff", "#e8833a", "#8c959f"
_SEQUENCE = (BLUE, ORANGE, "#3fa796", "#c060c0", "#d0a000", "#e05c5c", "#7a8ca0", "#80b030", "#a0764a", "#5cc0e0")


def laid_out(figure: Any, *, height: int = 340, x: str = "", y: str = "", legend: bool = False) -> Any:
    """The look of all figures: transparent, no title of their own (the page has it), margins for a phone."""
    figure.update_layout(
        template="none",
        height=height,
        margin={"l": 10, "r": 10, "t": 12, "b": 10},
        font={"size": 12, "color": GREY},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        colorway=_SEQUENCE,
        showlegend=legend,
        legend={"orientation": "h", "y": -0.25},
    )
    figure.update_xaxes(title=x, automargin=True, gridcolor="rgba(128,128,128,.25)", zeroline=False)
    figure.update_yaxes(title=y, automargin=True, gridcolor="rgba(128,128,128,.25)", zeroline=False)
    return figure


def bars(frame: pd.DataFrame, x: str, y: str, *, along: bool = False) -> Any:
    """A bar a row; along: the bars lie, the first on top."""
    import plotly.graph_objects as go

    if along:
        figure = go.Figure(go.Bar(x=frame[y].to_list(), y=frame[x].astype(str).to_list(), orientation="h"))
        figure.update_yaxes(autorange="reversed")
        return laid_out(figure, x=y, height=90 + 19 * len(frame))
    return laid_out(go.Figure(go.Bar(x=frame[x].to_list(), y=frame[y].to_list())), x=x, y=y)


def line(frame: pd.DataFrame, x: str, y: str) -> Any:
    """The column y over x."""
    import plotly.graph_objects as go

    return laid_out(go.Figure(go.Scatter(x=frame[x].to_list(), y=frame[y].to_list(), mode="lines")), y=y)


def activity(frame: pd.DataFrame, *, of: str) -> Any:
    """How many users or items have how many ratings, both axes logarithmic."""
    import plotly.graph_objects as go

    widths = (frame.n_ratings * 0.2).to_list()  # a tenth of a decade wherever it is
    figure = go.Figure(go.Bar(x=frame.n_ratings.to_list(), y=frame["count"].to_list(), width=widths))
    figure.update_xaxes(type="log", dtick=1)
    figure.update_yaxes(type="log", dtick=1)
    return laid_out(figure, x=f"ratings of each {of}", y=f"{of}s")


def concentration(users: pd.DataFrame, items: pd.DataFrame) -> Any:
    """What share of the ratings the most active share of users, and of items, has."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for name, frame in (("users", users), ("items", items)):
        ordered = frame.sort_values("n_ratings", ascending=False)
        shares = [100 * ordered[column].cumsum() / ordered[column].sum() for column in ("count", "ratings")]
        x, y = ([0.0, *share.to_list()] for share in shares)
        figure.add_scatter(x=x, y=y, name=name, mode="lines")
    return laid_out(figure, x="% of users or items, the most active first", y="% of the ratings", legend=True)


def sparsity(shares: Any) -> Any:
    """The share of pairs that are rated, by a logarithmic colour."""
    import numpy as np
    import plotly.graph_objects as go

    figure = go.Figure(
        go.Heatmap(
            z=np.log10(np.maximum(shares, 1e-6)).round(3).tolist(),
            customdata=(100 * shares).round(4).tolist(),
            hovertemplate="%{customdata} % rated<extra></extra>",
            colorscale="Viridis",
            colorbar={"title": "log10"},
        )
    )
    figure.update_yaxes(autorange="reversed", showticklabels=False)
    figure.update_xaxes(showticklabels=False)
    return laid_out(figure, x="items, the most rated first", y="users, the most active first", height=420)


def genres(frame: pd.DataFrame) -> Any:
    """Means of genres, with the standard deviation of their ratings."""
    import plotly.graph_objects as go

    figure = go.Figure(
        go.Scatter(
            x=frame["mean"].to_list(),
            y=frame.genre.to_list(),
            error_x={"type": "data", "array": frame["std"].to_list(), "color": GREY, "thickness": 1},
            mode="markers",
            marker={"size": 9, "color": BLUE},
            customdata=frame[["items", "ratings"]].to_numpy().tolist(),
            hovertemplate="%{y}: %{x:.2f}, %{customdata[0]:,} items, %{customdata[1]:,} ratings<extra></extra>",
        )
    )
    figure.update_yaxes(autorange="reversed")
    return laid_out(figure, x="mean rating ± standard deviation", height=110 + 19 * len(frame))


def predicted(found: Predicted) -> Any:
    """Predictions for each given rating: their mean, and the middle four fifths."""
    import plotly.graph_objects as go

    of = found.by_rating
    above, below = (of.high - of["mean"]).to_list(), (of["mean"] - of.low).to_list()
    spread = {"type": "data", "array": above, "arrayminus": below}
    figure = go.Figure(
        [
            go.Scatter(x=of.rating.to_list(), y=of.rating.to_list(), mode="lines", line={"dash": "dot", "color": GREY},
                       name="as given"),
            go.Scatter(x=of.rating.to_list(), y=of["mean"].to_list(), error_y=spread, mode="markers", name="predicted",
                       marker={"color": BLUE, "size": 9}),
        ]
    )  # fmt: skip
    return laid_out(figure, x="rating given", y="predicted: mean, 10 % to 90 %", legend=True)


def errors(found: Predicted) -> Any:
    """RMSE by how many ratings the user, and the item, has."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for name, frame in (("of the user", found.by_user), ("of the item", found.by_item)):
        x, y, rows = (frame[column].to_list() for column in ("n_ratings", "rmse", "rows"))
        hover = "RMSE %{y:.3f}, %{customdata:,} rows"
        figure.add_scatter(x=x, y=y, name=name, mode="lines+markers", customdata=rows, hovertemplate=hover)
    figure.update_xaxes(type="log")
    return laid_out(figure, x="ratings", y="RMSE", legend=True)


def lines_by(frame: pd.DataFrame, x: str, y: str, *, by: str) -> Any:
    """A line for each value of `by`."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for name, rows in frame.groupby(by, sort=False):
        figure.add_scatter(x=rows[x].to_list(), y=rows[y].to_list(), name=str(name), mode="lines+markers")
    if x == "run_date":
        few = frame[x].nunique() < _FEW_DATES
        figure.update_xaxes(type="category" if few else "date", tickformat="" if few else "%Y-%m-%d", nticks=6)
    return laid_out(figure, x="" if x == "run_date" else x, y=y, legend=True)


def stacked(frame: pd.DataFrame, x: str, y: str, *, by: str) -> Any:
    """Bars of x, each made of the values of `by`."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for name, rows in frame.groupby(by, sort=False):
        figure.add_bar(x=rows[x].astype(str).to_list(), y=rows[y].to_list(), name=str(name))
    figure.update_layout(barmode="stack")
    figure.update_xaxes(type="category")
    return laid_out(figure, y=y, legend=True)
