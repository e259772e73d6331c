"""The steps of a night. Each reads tables, calls the library, writes tables, and returns a summary."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from nightreel import evaluate as evaluation
from nightreel import models, sources
from nightreel import prepare as preparation
from nightreel import recommend as recommending
from nightreel.errors import ConfigurationError, TableError
from nightreel.evaluate.comparison import lower_is_better
from nightreel.job import observe
from nightreel.job.job import Job, Summary
from nightreel.models import runs
from nightreel.nightly import champion
from nightreel.nightly.silver import INDEX, SILVER, current_prepare_id, index_id, known_indices, new_prepare_id
from nightreel.recommend.pairs import read_pairs_to_score
from nightreel.tables import Tables, sql_text
from nightreel.tables.schemas import EPOCH_METRICS

AUTO = "auto"
_SUMMARY_METRICS = ("rmse", "mae", "ndcg@", "recall@")

_NIGHTS = 7
_RUNS_AT_ONCE = 4
"""Runs evaluated together. On small data most of the time is planning, one query on one core; on large data it is each
query's last tasks."""


def ingest(job: Job) -> Summary:
    """Raw files -> bronze tables; only new and changed files are read."""
    now = datetime.now(UTC)
    with job.step("ingest"):
        report = sources.ingest(job.tables, job.settings, ingested_at=now)
    rows = {"files read": report.files_read, "files unchanged": report.files_unchanged}
    notes = [f"{count:,} x {what}" for what, count in report.kept_without.items()]
    gone, rule = report.files_gone, job.settings.ingest.gone
    if gone:
        notes.append(f'{gone} files ingested earlier are no longer there; ingest.gone = "{rule}" for their ratings')
    if not report.files_read and not (gone and rule == "drop"):
        late = sources.unmeasured(job.tables) if job.settings.ingest.measure else None
        if late is None:
            return Summary(rows=rows, notes=notes)
        notes = [*_measured(job, late[1], ingested_at=late[0]), *notes]
        return Summary(rows=rows, tables=("bronze_quality",), notes=notes)
    rows |= {"rating lines read": report.rows_in, "ratings kept": report.rows_kept, "lines about items": report.items}
    tables = [*sources.BRONZE]
    if report.metadata:
        rows["metadata rows"] = report.metadata
        tables.append("bronze_metadata")
    if job.settings.ingest.measure:
        notes = [*_measured(job, report, ingested_at=now), *notes]
        tables.append("bronze_quality")
    return Summary(rows=rows | _labelled(report.rejects), tables=tables, notes=notes)


def _measured(job: Job, report: sources.IngestReport, *, ingested_at: datetime) -> list[str]:
    with job.step("measure"):
        quality = sources.measure(job.tables, report)
        sources.keep_quality(job.tables, quality, ingested_at=ingested_at)
    return quality.lines()


def _labelled(rejects: Mapping[str, int]) -> dict[str, int]:
    return {f"rejected: {reason}": count for reason, count in rejects.items()}


def prepare(job: Job) -> Summary:
    """bronze -> silver: repeats resolved, sparse users and items dropped, dense indices, splits."""
    job.tables.watch(*SILVER, *INDEX)
    ratings, items = job.tables.read("bronze_ratings"), job.tables.read("bronze_items")
    held_out = sources.read_held_out(job.spark, job.settings)
    pairs, rejects = (held_out.pairs, _by_reason(held_out.rejects)) if held_out else (None, {})
    metadata = job.tables.read("bronze_metadata") if job.settings.metadata.path else None
    known = known_indices(job.tables)
    prepare_id = new_prepare_id(job.tables, job.settings)
    with (
        job.step("prepare"),
        preparation.prepare(ratings, items, job.settings, metadata=metadata, pairs=pairs, known=known) as silver,
    ):
        _write_silver(job, silver, prepare_id, grows=known is not None)
    matched = {} if metadata is None else _matched(job)
    return Summary(rows={**silver.counts, **matched, **rejects}, tables=SILVER)


def _by_reason(rejects: DataFrame) -> dict[str, int]:
    return _labelled(dict(rejects.groupBy("reason").count().collect()))


def _matched(job: Job) -> dict[str, int]:
    """How many items were matched to films, and how many have several candidates."""
    rates = job.tables.read("silver_match_rates").select("matched_by", "matched", "items").collect()
    matched = sum(row["items"] for row in rates if row["matched"])
    ambiguous = sum(row["items"] for row in rates if row["matched_by"] in preparation.AMBIGUOUS)
    return {"items matched to films": matched, "items with ambiguous titles": ambiguous}


def _write_silver(job: Job, silver: preparation.Silver, prepare_id: str, *, grows: bool) -> None:
    """Users first and interactions last, so that an interrupted prepare is recognised; the others in parallel.

    Parameters
    ----------
    grows : whether the index tables are there: new rows are added to them
    """
    job.tables.replace("silver_users", silver.users, stamp=prepare_id)
    small = {
        "silver_items": silver.items,
        "silver_match_rates": silver.match_rates,
        "silver_item_text": silver.text.weights,
        "silver_vocabulary": silver.text.vocabulary,
    }
    new = dict(zip(INDEX, (silver.new_users, silver.new_items), strict=True))
    with ThreadPoolExecutor(len(small) + len(new)) as pool:
        writes = [pool.submit(job.tables.replace, name, rows, stamp=prepare_id) for name, rows in small.items()]
        writes += [pool.submit(_grow, job.tables, name, rows, prepare_id, grows) for name, rows in new.items()]
        for write in writes:
            write.result()
    job.tables.replace("silver_interactions", silver.interactions, stamp=prepare_id)


def _grow(tables: Tables, name: str, rows: DataFrame, prepare_id: str, grows: bool) -> None:
    """Add the rows to an index table, or make it of them."""
    if not grows:
        tables.replace(name, rows, stamp=index_id(prepare_id))
    elif (first := rows.agg(F.min(rows.columns[0])).collect()[0][0]) is not None:
        tables.replace_where(name, rows, f"{rows.columns[0]} >= {first}", stamp=index_id(prepare_id))


def evaluate(job: Job, chosen: Sequence[runs.Run]) -> Summary:
    """Runs -> their metrics on the held-out split."""
    prepare_id = current_prepare_id(job.tables)
    interactions = job.tables.read("silver_interactions")
    for run in chosen:
        _require_prepare(run, prepare_id)
    split = job.settings.evaluate.split
    with job.step(f"evaluate {len(chosen)} runs"), evaluation.hold_out(interactions, job.settings.evaluate) as held_out:

        def measure(run: runs.Run) -> list[dict[str, Any]]:
            labels = {"run_id": run.run_id, "run_date": run.run_date, "model": run.model, "split": split}
            metrics = evaluation.evaluate(runs.load(job.tables, run), held_out, job.settings.scale)
            return [labels | row.asDict() for row in metrics]

        with ThreadPoolExecutor(_RUNS_AT_ONCE) as pool:
            measured = list(chain.from_iterable(pool.map(measure, chosen)))
    ids = ", ".join(sql_text(run.run_id) for run in chosen)
    replaced = f"run_id IN ({ids}) AND split = '{split}' AND NOT {EPOCH_METRICS}"
    earlier = _of_last_nights(job) if job.tables.exists("gold_metrics") else {}
    job.tables.put("gold_metrics", measured, replaced)
    params = {run.run_id: json.dumps(dict(run.params)) for run in chosen}
    observe.keep_in_mlflow(job.settings.observe, measured, params=params)
    lines = _metric_lines(measured, earlier)
    return Summary(rows={"runs evaluated": len(chosen)}, tables=("gold_metrics",), notes=lines)


def _of_last_nights(job: Job) -> dict[tuple[str, str, str], float]:
    """By model, split and metric, the mean of the last seven nights before this one that have it."""
    measured = job.tables.read("gold_metrics").where(f"NOT {EPOCH_METRICS} AND value IS NOT NULL")
    by_metric: dict[tuple[str, str, str], dict[date, float]] = {}
    for row in measured.where(F.col("run_date") < F.lit(job.run_date)).collect():
        by_metric.setdefault((row["model"], row["split"], row["metric"]), {})[row["run_date"]] = row["value"]
    return {
        name: sum(values[night] for night in sorted(values)[-_NIGHTS:]) / min(len(values), _NIGHTS)
        for name, values in by_metric.items()
    }


def _metric_lines(measured: Sequence[Mapping[str, Any]], earlier: Mapping[tuple[str, str, str], float]) -> list[str]:
    """One line per run: RMSE, MAE, nDCG and recall, each with the mean of the last seven nights where there are any."""
    lines: dict[tuple[str, str], list[str]] = {}
    for row in measured:
        if row["value"] is not None and row["metric"].startswith(_SUMMARY_METRICS):
            mean = earlier.get((row["model"], row["split"], row["metric"]))
            before = "" if mean is None else f" (last {_NIGHTS} nights {mean:.4f})"
            lines.setdefault((row["run_id"], row["model"]), []).append(f"{row['metric']} {row['value']:.4f}{before}")
    return [f"{model}: {', '.join(values)}" for (_, model), values in lines.items()]


def recommend(job: Job, run: runs.Run) -> Summary:
    """A run -> top-N of every user, and similar items if the model has the capability."""
    model = _load(job, run)
    users, items = job.tables.read("silver_users"), job.tables.read("silver_items")
    replaced = f"run_date = DATE'{job.run_date}' AND run_id = {sql_text(run.run_id)}"
    with job.step(f"recommend by {run.model}"):
        rows = recommending.recommend_for_all(
            model,
            users,
            items,
            job.tables.read("silver_interactions"),
            n=job.settings.recommend.n,
            run_id=run.run_id,
            run_date=job.run_date,
        )
        job.tables.replace_where("gold_recommendations", rows, replaced)
    if models.Capability.SIMILAR in model.capabilities:
        similar = recommending.similar_items(
            model, items, n=job.settings.recommend.similar_n, run_id=run.run_id, run_date=job.run_date
        )
    elif job.tables.exists("gold_similar_items"):
        similar = job.tables.read("gold_similar_items").limit(0)  # removes what another model left for the date
    else:
        return Summary(tables=("gold_recommendations",))
    with job.step("similar items"):
        job.tables.replace_where("gold_similar_items", similar, replaced)
    return Summary(tables=("gold_recommendations", "gold_similar_items"))


def score(job: Job, run: runs.Run, *, pairs: str, csv: str | None, text: str | None) -> Summary:
    """A run -> predictions for a file or table of pairs, in its order; also as files if paths are given."""
    model = _load(job, run)
    model.require(models.Capability.PREDICT)
    users, items = job.tables.read("silver_users"), job.tables.read("silver_items")
    rows, rejects = read_pairs_to_score(job.spark, pairs, users=users, items=items, settings=job.settings.ingest)
    with job.step(f"score by {run.model}"):
        scored = recommending.score_pairs(model, rows, users, items, job.settings.scale)
        labels = {"run_id": F.lit(run.run_id), "pairs": F.lit(pairs)}
        replaced = f"run_id = {sql_text(run.run_id)} AND pairs = {sql_text(pairs)}"
        job.tables.replace_where("gold_predictions", scored.withColumns(labels), replaced)
    of_run = (F.col("run_id") == F.lit(run.run_id)) & (F.col("pairs") == F.lit(pairs))
    predictions = job.tables.read("gold_predictions").where(of_run)
    write_csv = partial(recommending.write_csv, uncertainty=model.tells_uncertainty)
    for path, write in ((csv, write_csv), (text, recommending.write_prize_format)):
        if path is not None:
            with job.step(f"write {path}"):
                write(predictions, path)
    total, cold = predictions.agg(F.count("*"), F.count_if("cold")).collect()[0]
    rejected = {} if rejects is None else _by_reason(rejects)
    return Summary(
        rows={"pairs scored": total, "of them with an unknown user or item": cold, **rejected},
        tables=("gold_predictions",),
        notes=[f"wrote {path}" for path in (csv, text) if path is not None],
    )


def _load(job: Job, run: runs.Run) -> models.TrainedModel:
    _require_prepare(run, current_prepare_id(job.tables))
    return runs.load(job.tables, run)


def _require_prepare(run: runs.Run, prepare_id: str) -> None:
    """Raise TableError unless the run was trained on the current silver tables: `prepare` assigns new indices."""
    if prepare_id != run.prepare_id:
        raise TableError(
            f"run {run.run_id}: trained on the silver tables of prepare {run.prepare_id}, which are now those of "
            f"{prepare_id} with other indices: train {run.model} again"
        )


LISTS, RATINGS = "ndcg", "rmse"
"""What a model is chosen for, by the metric that chooses it."""


class BestRun(NamedTuple):
    """The best run, and the figures that chose it, as a person reads them."""

    run: runs.Run
    why: str


def chosen_run(job: Job, *, model: str | None = None, run_id: str | None = None, purpose: str = LISTS) -> runs.Run:
    """The run with this id, or this model's newest until the job's date, by default that of recommend.model.

    With "auto" it is the champion, or where its indices are not those of the silver tables, the best of the newest
    date's evaluated runs for the purpose.
    """
    if run_id is None and model is None:
        model = job.settings.recommend.model
        if model == AUTO:
            reigning = champion.serving(job.tables, "lists" if purpose == LISTS else "ratings")
            if reigning is not None and runs.finished(job.tables).get(reigning.run_id) == current_prepare_id(
                job.tables
            ):
                return runs.find(job.tables, run_id=reigning.run_id)
            return best_run(job, purpose).run
    return runs.find(job.tables, run_id=run_id, model=model, until=None if run_id else job.run_date)


def best_run(job: Job, purpose: str, *, among: Sequence[str] | None = None) -> BestRun:
    """The run with the best value on evaluate.split; equal ones by name.

    Parameters
    ----------
    among : run ids; by default those of the newest date that were trained on the current silver tables

    Raises
    ------
    ConfigurationError : none was measured
    """
    settings = job.settings.evaluate
    metric = f"{LISTS}@{evaluation.shown_length(settings.k)}" if purpose == LISTS else purpose
    if among is None:
        prepare_id = current_prepare_id(job.tables)
        among = [run_id for run_id, trained_on in runs.finished(job.tables).items() if trained_on == prepare_id]
    measured: list[Row] = []
    if among and job.tables.exists("gold_metrics"):
        on_split = (F.col("split") == settings.split) & (F.col("metric") == metric) & F.col("value").isNotNull()
        rows = job.tables.read("gold_metrics").where(on_split & F.col("run_id").isin(*among))
        measured = rows.select("run_id", "run_date", "model", "value").collect()
    if not measured:
        raise ConfigurationError(
            f'recommend.model = "auto": no run was measured by {metric} on split {settings.split}; evaluate the runs, '
            "or name a model"
        )
    newest = max(row["run_date"] for row in measured)
    sign = 1 if lower_is_better(metric) else -1
    ordered = sorted(
        (row for row in measured if row["run_date"] == newest), key=lambda row: (sign * row["value"], row["run_id"])
    )
    best, *others = [f"{row['model']} {row['value']:.4f}" for row in ordered]
    rest = f"; then {', '.join(others)}" if others else ""
    why = f"by {ordered[0]['model']}, the best {metric} on split {settings.split}: {best}{rest}"
    return BestRun(runs.find(job.tables, run_id=ordered[0]["run_id"]), why)


def chosen_runs(job: Job, *, models: Sequence[str], run_ids: Sequence[str]) -> list[runs.Run]:
    """The runs with these ids and the newest of each of these models; by default, of each of the night's models."""
    names = models if models or run_ids else job.settings.nightly.models
    chosen = [chosen_run(job, run_id=run_id) for run_id in run_ids] + [chosen_run(job, model=name) for name in names]
    return list({run.run_id: run for run in chosen}.values())
