"""What the report draws, as small frames: delta-rs's query engine aggregates the tables, and no rating is collected."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from nightreel.ask.items import Items
from nightreel.ask.trained import whole_model
from nightreel.models.run import Run
from nightreel.tables.schemas import EPOCH_METRICS
from nightreel.tables.snapshot import Snapshot
from nightreel.tables.sql import sql_text

CELLS = 60
"""Of each side of the picture of sparsity."""
_MOST_DAYS = 400
_HELD_OUT = 200_000
"""Held-out rows that predictions are made for."""


def by_rating(tables: Snapshot) -> pd.DataFrame:
    """Grain value of a rating; columns rating, ratings."""
    return _frame(
        tables, "SELECT rating, count(*) AS ratings FROM silver_interactions GROUP BY rating ORDER BY rating",
        "silver_interactions",
    )  # fmt: skip


def by_day(tables: Snapshot) -> pd.DataFrame:
    """Grain day, or week where there are many; columns at, ratings; empty without times."""
    for unit in ("day", "week", "month"):
        query = f"SELECT date_trunc('{unit}', rated_at) AS at, count(*) AS ratings FROM silver_interactions "
        found = _frame(tables, query + "WHERE rated_at IS NOT NULL GROUP BY 1 ORDER BY 1", "silver_interactions")
        if len(found) <= _MOST_DAYS:
            break
    found.attrs["unit"] = unit
    return found


def releases(tables: Snapshot) -> pd.DataFrame:
    """Grain year of release; columns year, items, ratings."""
    query = "SELECT year, count(*) AS items, sum(n_ratings) AS ratings FROM silver_items WHERE year IS NOT NULL"
    return _frame(tables, f"{query} GROUP BY year ORDER BY year", "silver_items")


def activity(tables: Snapshot, side: str) -> pd.DataFrame:
    """Users or items by how many ratings they have, by tenths of decades; columns n_ratings, count, ratings."""
    query = (
        f"SELECT floor(log10(n_ratings) * 10) AS step, count(*) AS count, sum(n_ratings) AS ratings FROM silver_{side} "
        "WHERE n_ratings > 0 GROUP BY 1 ORDER BY 1"
    )
    found = _frame(tables, query, f"silver_{side}")
    return found.assign(n_ratings=np.maximum(1, np.round(10 ** (found["step"] / 10 + 0.05))).astype(int))


def sparsity(tables: Snapshot) -> Any:
    """(CELLS, CELLS): the share of pairs that are rated, users by rows, items by columns, the most active first."""
    query = f"""
        WITH users AS (SELECT user_idx, ntile({CELLS}) OVER (ORDER BY n_ratings DESC) - 1 AS cell FROM silver_users),
             items AS (SELECT item_idx, ntile({CELLS}) OVER (ORDER BY n_ratings DESC) - 1 AS cell FROM silver_items)
        SELECT users.cell AS user_cell, items.cell AS item_cell, count(*) AS ratings
        FROM silver_interactions AS pairs
        JOIN users ON users.user_idx = pairs.user_idx JOIN items ON items.item_idx = pairs.item_idx
        GROUP BY 1, 2"""
    found = _frame(tables, query, "silver_interactions", "silver_users", "silver_items")
    counts = np.zeros((CELLS, CELLS))
    counts[found.user_cell.to_numpy(int), found.item_cell.to_numpy(int)] = found.ratings
    pairs = tables.count("silver_users") * tables.count("silver_items") / CELLS**2
    return counts / max(pairs, 1)


def genres(tables: Snapshot) -> pd.DataFrame:
    """Grain genre, the most rated first; columns genre, items, ratings, mean, std (of its ratings)."""
    sums = "count(*) AS n, sum(rating) AS total, sum(rating * rating) AS squares"
    query = f"SELECT item_idx, {sums} FROM silver_interactions GROUP BY item_idx"
    by_item = _frame(tables, query, "silver_interactions").set_index("item_idx")
    rows = tables.dicts("silver_items", ("item_idx", "genres"))  # pandas takes no lists of string views
    items = pd.DataFrame(rows, columns=["item_idx", "genres"]).explode("genres").dropna()
    grouped = items.join(by_item, "item_idx", "inner").groupby("genres")
    found: pd.DataFrame = grouped.agg(
        items=("item_idx", "size"), ratings=("n", "sum"), total=("total", "sum"), sq=("squares", "sum")
    )
    found["mean"] = found.total / found.ratings
    found["std"] = np.sqrt(np.maximum(found.sq / found.ratings - found["mean"] ** 2, 0))
    shown = found.drop(columns=["total", "sq"]).rename_axis("genre").reset_index()
    return shown.sort_values("ratings", ascending=False, ignore_index=True)


def best_items(items: Items, *, n: int = 10) -> pd.DataFrame:
    """The best by plain mean beside the best by weighted mean; columns of titles, means and numbers of ratings."""
    plain, weighted = items.best(n=n, prior=0.0), items.best(n=n)
    return pd.DataFrame(
        {
            "by mean": [f"{item.name} [{item.n_ratings}]" for item, _ in plain],
            "mean": [item.mean_rating for item, _ in plain],
            "by weighted mean": [f"{item.name} [{item.n_ratings}]" for item, _ in weighted],
            "weighted mean": [mean for _, mean in weighted],
        }
    )


def terms(tables: Snapshot, *, n: int = 30) -> pd.DataFrame:
    """The terms with the largest TF-IDF weights in sum; columns term, weight; empty without text."""
    if not tables.exists("silver_item_text") or not tables.count("silver_item_text"):
        return pd.DataFrame({"term": [], "weight": []})
    rows = tables.rows("silver_item_text", ("terms", "weights")).combine_chunks()
    used, weights = (rows[name].combine_chunks().flatten().to_numpy() for name in ("terms", "weights"))
    sums = pd.Series(np.bincount(used, weights)).nlargest(n)
    names = _as_frame(tables.rows("silver_vocabulary")).set_index("term_idx").term
    return pd.DataFrame({"term": names.reindex(sums.index).to_numpy(), "weight": sums.to_numpy()})


def comparison(tables: Snapshot) -> pd.DataFrame:
    """The results of the newest comparison (see cross_validation.COLUMNS); empty where there is none."""
    if not tables.exists("gold_comparison"):
        return pd.DataFrame()
    newest = "(SELECT comparison_id FROM rows ORDER BY finished_at DESC LIMIT 1)"
    return _as_frame(tables.rows("gold_comparison", where=f"comparison_id = {newest}"))


def metrics(tables: Snapshot) -> pd.DataFrame:
    """The held-out metrics of all runs: columns run_date, model, split, metric, value."""
    if not tables.exists("gold_metrics"):
        return pd.DataFrame()
    found = _as_frame(tables.rows("gold_metrics", where=f"NOT {EPOCH_METRICS}", order="run_date, run_id"))
    return found.drop_duplicates(["run_date", "model", "split", "metric"], keep="last")


def training_curves(tables: Snapshot) -> pd.DataFrame:
    """Losses by epoch of the newest run of each network; columns model, split, epoch, loss."""
    if not tables.exists("gold_metrics"):
        return pd.DataFrame()
    rows = _as_frame(tables.rows("gold_metrics", where="metric LIKE 'loss@epoch%'", order="run_date"))
    rows = rows[rows.run_id.isin(rows.groupby("model").run_id.last())]
    epoch = rows.metric.str.removeprefix("loss@epoch").astype(int)
    return rows.assign(epoch=epoch, loss=rows.value)[["model", "split", "epoch", "loss"]].sort_values("epoch")


def nights(tables: Snapshot) -> pd.DataFrame:
    """Grain run date x step; columns run_date, step, seconds."""
    if not tables.exists("gold_steps"):
        return pd.DataFrame()
    rows = tables.dicts("gold_steps", order="run_date, finished_at")
    seconds = [
        {"run_date": row["run_date"], "step": row["step"], "seconds": json.loads(row["summary"]).get("seconds", 0.0)}
        for row in rows
    ]
    return pd.DataFrame(seconds)


def decisions(tables: Snapshot, *, n: int = 20) -> pd.DataFrame:
    """The newest decisions on what serves; columns night, purpose, decision, model, since, reason."""
    if not tables.exists("gold_champion"):
        return pd.DataFrame()
    columns = ("night", "purpose", "decision", "model", "since", "reason")
    return pd.DataFrame(tables.dicts("gold_champion", columns, order=f"decided_at DESC, purpose LIMIT {n}"))


def checks(tables: Snapshot) -> pd.DataFrame:
    """The checks of the newest night; columns check, value, threshold, passed; attrs["night"] is its date."""
    if not tables.exists("gold_gate"):
        return pd.DataFrame()
    rows = tables.dicts("gold_gate", where="run_date = (SELECT max(run_date) FROM rows)", order="decided_at, name")
    found = pd.DataFrame(rows)[["name", "value", "threshold", "passed"]].rename(columns={"name": "check"})
    found.attrs["night"] = rows[0]["run_date"]
    return found


def ingested(tables: Snapshot) -> pd.DataFrame:
    """Grain ingest; columns ingested_at, files, rows, rejected."""
    query = (
        "SELECT ingested_at, count(*) AS files, sum(rows) AS rows, sum(rejected) AS rejected FROM bronze_files "
        "GROUP BY ingested_at ORDER BY ingested_at"
    )
    return _frame(tables, query, "bronze_files") if tables.exists("bronze_files") else pd.DataFrame()


def rejects(tables: Snapshot) -> pd.DataFrame:
    """Grain reason; columns reason, lines."""
    query = "SELECT reason, count(*) AS lines FROM bronze_quarantine GROUP BY reason ORDER BY lines DESC"
    return _frame(tables, query, "bronze_quarantine") if tables.exists("bronze_quarantine") else pd.DataFrame()


class Predicted(NamedTuple):
    """Held-out ratings of a run beside its predictions.

    rows : how many
    by_rating : columns rating, mean, low, high: of the predictions for that rating, and their 10th and 90th percentile
    by_user, by_item : columns n_ratings, rmse, rows: by how many ratings the user or the item has
    """

    run: Run
    rows: int
    by_rating: pd.DataFrame
    by_user: pd.DataFrame
    by_item: pd.DataFrame


def predicted(tables: Snapshot, runs: Sequence[Run], *, split: str = "test") -> Predicted | None:
    """Of the run of factors with the lowest RMSE; None where there is none. At most 200,000 rows are predicted."""
    of_factors = {run.run_id: run for run in runs if run.form == "factors" and run.prepare_id == runs[0].prepare_id}
    if not of_factors or not tables.exists("gold_metrics"):
        return None
    ids = ", ".join(map(sql_text, of_factors))
    where = f"metric = 'rmse' AND split = {sql_text(split)} AND value IS NOT NULL AND run_id IN ({ids})"
    measured = tables.dicts("gold_metrics", ("run_id",), where=where, order="value, run_id")
    if not measured:
        return None
    columns = ("user_idx", "item_idx", "rating")
    rows = tables.rows("silver_interactions", columns, where=f"split = {sql_text(split)} LIMIT {_HELD_OUT}").to_pandas()
    model = whole_model(tables, of_factors[measured[0]["run_id"]])
    rows["prediction"] = model.predict(rows.user_idx.to_numpy(), rows.item_idx.to_numpy()).prediction
    rows["squared"] = (rows.prediction - rows.rating) ** 2
    spread = rows.groupby("rating").prediction
    by_rating = pd.DataFrame({"mean": spread.mean(), "low": spread.quantile(0.1), "high": spread.quantile(0.9)})
    errors = [_errors(rows, tables.rows(f"silver_{side}s", (f"{side}_idx", "n_ratings")).to_pandas(), f"{side}_idx")
              for side in ("user", "item")]  # fmt: skip
    return Predicted(of_factors[measured[0]["run_id"]], len(rows), by_rating.reset_index(), *errors)


def _errors(rows: pd.DataFrame, side: pd.DataFrame, key: str) -> pd.DataFrame:
    counts = rows[key].map(side.set_index(key).n_ratings)
    step = np.floor(np.log10(np.maximum(counts, 1)) * 4)
    grouped = rows.groupby(step).squared.agg(["mean", "size"])
    at = np.round(10 ** (grouped.index.to_numpy() / 4 + 0.125)).astype(int)
    return pd.DataFrame(
        {"n_ratings": at, "rmse": np.sqrt(grouped["mean"]).to_numpy(), "rows": grouped["size"].to_numpy()}
    )


def _frame(tables: Snapshot, query: str, *named: str) -> pd.DataFrame:
    return _as_frame(tables.query(query, *named))


def _as_frame(rows: pa.Table) -> pd.DataFrame:
    frame: pd.DataFrame = rows.to_pandas()
    return frame
