"""The report of a dataset's tables: its data, how good the models are, its nights, and examples of people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from nightreel.ask.store import Store
from nightreel.errors import ConfigurationError, NightreelError
from nightreel.evaluate.cross_validation import Comparison
from nightreel.report import aggregates, charts, comparison_charts
from nightreel.report.page import Part, Section, as_html, as_markdown
from nightreel.tables.sql import sql_text

_PEOPLE, _MODELS, _PLACES = 5, 4, 5
_TITLES, _NEAR = 1_500, 8
"""Titles of the box for similar ones, the most rated, and how many it shows for each: what keeps the file small."""
_LEAST_RATINGS = 5
_SHOWN = ("rmse", "mae", "ndcg", "recall", "hit_rate", "catalogue_coverage")

Format = Literal["html", "md"]


def write_report(store: Store, path: str, *, format: Format = "html", metric: str = "ndcg@10", seed: int = 1) -> str:
    """Write the report of all tables there are; returns a line on the file.

    Parameters
    ----------
    metric : what the newest comparison is ordered by; RMSE is shown too
    seed : chooses the people of the examples

    Raises
    ------
    ConfigurationError : the file cannot be written, or a page cannot be drawn here
    """

    def section(name: str, title: str, parts: Sequence[Part], writer: str) -> Section:
        return Section(name, title, parts or [Part(text=f"Nothing yet: {writer}.")])

    measured = aggregates.metrics(store.snapshot)
    sections = [
        Section("data", "The data", _data(store)),
        *(_compared(store, metric) or [section("leaderboard", "Models compared", [], "the compare job compares them")]),
        section("quality", "How good the models are", _quality(store, measured), "the evaluate job measures them"),
        section("nights", "The nights", _nights(store, measured), "the nightly job records them"),
        section("examples", "What people get", _examples(store, seed), "the recommend job writes lists"),
    ]
    title = f"nightreel: {store.snapshot.dataset}"
    written = as_html if format == "html" else as_markdown
    text = written(title, sections, about=_about(store))
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be written: {error.strerror}") from None
    return f"wrote {path} ({len(text.encode()) / 1e6:.1f} MB)"


def _about(store: Store) -> str:
    counts = [f"{store.snapshot.count(f'silver_{of}'):,}" for of in ("interactions", "users", "items")]
    ratings, users, items = counts
    return f"{ratings} ratings by {users} users of {items} items."


def _figure(title: str, frame: pd.DataFrame, draw: Callable[[pd.DataFrame], object]) -> list[Part]:
    """The figure, where there is something to draw."""
    return [Part(title, figure=draw(frame))] if len(frame) else []


def _data(store: Store) -> list[Part]:
    tables = store.snapshot
    days, users, items = aggregates.by_day(tables), *(aggregates.activity(tables, of) for of in ("users", "items"))
    of_genres, words = aggregates.genres(tables), aggregates.terms(tables)
    ratings = aggregates.by_rating(tables)
    share = ratings.assign(share=ratings.ratings / ratings.ratings.sum())
    return [
        *_figure("Ratings by value", ratings, lambda frame: charts.bars(frame, "rating", "ratings")),
        *_figure(f"Ratings by {days.attrs['unit']}", days, lambda frame: charts.line(frame, "at", "ratings")),
        *_figure("Releases by year", aggregates.releases(tables), lambda frame: charts.bars(frame, "year", "items")),
        Part("Who rates, and what is rated", figure=charts.concentration(users, items)),
        *_figure("Ratings of an item", items, lambda frame: charts.activity(frame, of="item")),
        *_figure("Ratings of a user", users, lambda frame: charts.activity(frame, of="user")),
        Part(
            "Which pairs are rated",
            f"{100 * tables.count('silver_interactions') / _pairs(store):.3f} % of all; each cell is a group of users "
            "and items.",
            figure=charts.sparsity(aggregates.sparsity(tables)),
        ),
        *_figure("Genres", of_genres, charts.genres),
        *_figure("Terms by TF-IDF weight", words, lambda frame: charts.bars(frame, "term", "weight", along=True)),
        Part("Shares of the ratings", table=share),
        Part(
            "The best",
            "A plain mean favours what few have rated (number of ratings in brackets); a weighted mean does not.",
            table=aggregates.best_items(store.items),
            wide=True,
        ),
    ]


def _pairs(store: Store) -> int:
    return max(store.snapshot.count("silver_users") * store.snapshot.count("silver_items"), 1)


def _compared(store: Store, metric: str) -> list[Section]:
    """The newest comparison: a table, and the sections of `comparison_charts`."""
    results = aggregates.comparison(store.snapshot)
    if not len(results):
        return []
    known = set(results.metric.dropna())
    first = metric if metric in known else "rmse" if "rmse" in known else next(iter(sorted(known)), metric)
    compared = Comparison(results, first)
    board = compared.leaderboard(("rmse",)).drop(columns=["peak_bytes"], errors="ignore").round(4)
    sections = comparison_charts.sections(compared, list(dict.fromkeys([first, *({"rmse"} & known)])))
    return [Section("leaderboard", "Models compared", [Part("Leaderboard", table=board, wide=True)]), *sections]


def _quality(store: Store, measured: pd.DataFrame) -> list[Part]:
    parts = []
    if len(measured):
        newest = measured[measured.run_date == measured.run_date.max()]
        values = newest.pivot_table(index="model", columns="metric", values="value", sort=False).round(4)
        table = values[[name for name in values if name.startswith(_SHOWN)]].reset_index()
        parts.append(Part(f"The night of {newest.run_date.iloc[0]}", table=table, wide=True))
    found = aggregates.predicted(store.snapshot, store.runs()) if store.snapshot.exists("gold_runs") else None
    if found is not None:
        of = f"{found.run.model}, {found.rows:,} held-out ratings."
        parts.append(Part("Predicted against given", of, figure=charts.predicted(found)))
        parts.append(Part("Error by activity and popularity", of, figure=charts.errors(found)))
    curves = aggregates.training_curves(store.snapshot)
    for split, rows in curves.groupby("split") if len(curves) else ():
        parts.append(Part(f"Training curves: {split} loss", figure=charts.lines_by(rows, "epoch", "loss", by="model")))
    return parts


def _nights(store: Store, measured: pd.DataFrame) -> list[Part]:
    tables, parts = store.snapshot, list[Part]()
    lists = sorted(name for name in set(measured["metric"]) if name.startswith("ndcg@")) if len(measured) else []
    for metric in (*lists, "rmse"):
        rows = measured[measured.metric == metric] if len(measured) else measured
        parts += _figure(
            f"{metric} by night", rows, lambda frame: charts.lines_by(frame, "run_date", "value", by="model")
        )
    served, checks = aggregates.decisions(tables), aggregates.checks(tables)
    if len(served):
        parts.append(Part("Who serves, and why", table=served, wide=True))
    if len(checks):
        parts.append(Part(f"The gate on {checks.attrs['night']}", table=checks))
    steps = aggregates.nights(tables)
    parts += _figure("Seconds by step", steps, lambda frame: charts.stacked(frame, "run_date", "seconds", by="step"))
    read, rejected = aggregates.ingested(tables), aggregates.rejects(tables)
    if len(read):
        read = read.assign(ingested_at=read.ingested_at.astype(str).str[:19])
        parts.append(Part("Rows read and rejected", table=read))
    if len(rejected):
        parts.append(Part("Rejected lines by reason", table=rejected))
    return parts


def _examples(store: Store, seed: int) -> list[Part]:
    """Some people with what they liked and what models give them, and the box of similar titles."""
    models = _rankers(store)
    parts = [part for user in _people(store, seed) if (part := _person(store, user, models))]
    similar = _similar_titles(store)
    if similar:
        parts.append(Part("Similar titles", "Type a title: what is similar to it.", similar=similar, wide=True))
    return parts


def _people(store: Store, seed: int) -> Sequence[int | str]:
    where = f"n_ratings >= {_LEAST_RATINGS}"
    known = store.snapshot.rows("silver_users", ("user_id",), where=where, order="user_idx LIMIT 100000")["user_id"]
    chosen = np.random.default_rng(seed).choice(len(known), min(_PEOPLE, len(known)), replace=False)
    return [known[place].as_py() for place in sorted(chosen.tolist())]


def _person(store: Store, user: int | str, models: Sequence[str]) -> Part | None:
    try:
        liked = store.liked(user, n=_PLACES)
    except NightreelError:  # no rating to train on
        return None
    columns = {"liked": [f"{item.name} [{rating:g}]" for item, rating in liked]}
    for model in models:
        try:
            answer = store.recommend(user, n=_PLACES, model=model)
        except NightreelError:  # the model was trained on other indices, or does not know the user
            continue
        columns[model] = [one.title + (f" (because of {one.why[0]})" if one.why else "") for one in answer.suggestions]
    longest = max(map(len, columns.values()))
    table = pd.DataFrame({name: [*cells, *[""] * (longest - len(cells))] for name, cells in columns.items()})
    return Part(f"User {user}", table=table, wide=True)


def _rankers(store: Store) -> list[str]:
    """Models that rank without torch, those with the best newest nDCG first."""
    runs = [run for run in store.runs() if "recommend" in run.header.get("capabilities", ()) and run.form != "network"]
    by_ndcg = {row["model"]: row["value"] for row in reversed(store.metrics()) if row["metric"].startswith("ndcg")}
    return sorted({run.model for run in runs}, key=lambda model: (-(by_ndcg.get(model) or 0.0), model))[:_MODELS]


def _similar_titles(store: Store) -> dict[str, list[tuple[str, float]]]:
    tables = store.snapshot
    if store.serving is None or not tables.exists("gold_similar_items"):
        return {}
    run_id, run_date = store.serving
    asked = {item.item_id: item.name for item in store.popular(n=_TITLES)}
    names = dict(zip(store.items.ids, store.items.names, strict=True))
    where = f"run_id = {sql_text(run_id)} AND run_date = DATE '{run_date}' AND rank <= {_NEAR}"
    rows = tables.rows("gold_similar_items", ("item_id", "similar_item_id", "similarity"), where=where, order="rank")
    found: dict[str, list[tuple[str, float]]] = {}
    for item_id, near, similarity in zip(*(rows[name].to_pylist() for name in rows.column_names), strict=True):
        if item_id in asked and near in names:
            found.setdefault(asked[item_id], []).append((names[near], round(similarity, 3)))
    return {name: found[name] for name in asked.values() if name in found}
