"""The steps of a night. Each reads tables, calls the library, writes tables, and says what it did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from nightreel import evaluate as evaluation
from nightreel import models, sources
from nightreel import prepare as preparation
from nightreel import recommend as recommending
from nightreel.errors import TableError
from nightreel.job.job import Job, Summary
from nightreel.models import runs
from nightreel.nightly.silver import SILVER, current_prepare, prepare_id
from nightreel.tables.schemas import EPOCH_METRICS
from nightreel.tables.tables import sql_text

_ASKED_FOR = ("rmse", "mae", "ndcg@", "recall@")

_RUNS_AT_ONCE = 4
"""Evaluated together: of small data most of the time goes into planning, one query on one core, and of large data into
each query's last tasks."""


def ingest(job: Job) -> Summary:
    """Raw files -> bronze tables; only new and changed files are read."""
    now = datetime.now(UTC)
    with job.step("ingest"):
        report = sources.ingest(job.tables, job.settings, ingested_at=now)
    quality = _measured(job, report, now) if report.files_read and job.settings.ingest.measure else []
    files = {"files read": report.files_read, "files unchanged": report.files_unchanged}
    rows = {"rating lines read": report.rows_in, "ratings kept": report.rows_kept, "lines about items": report.items}
    if report.metadata:
        rows["metadata rows"] = report.metadata
    rule = job.settings.ingest.gone
    gone = f'{report.files_gone} files ingested earlier are no longer there; ingest.gone = "{rule}" for their ratings'
    return Summary(
        rows=files | (rows if report.files_read else {}),
        rejects=report.rejects,
        tables=_written_by_ingest(report, measured=bool(quality)),
        notes=[
            *quality,
            *(f"{count:,} x {what}" for what, count in report.kept_without.items()),
            *([gone] if report.files_gone else []),
        ],
    )


def _measured(job: Job, report: sources.IngestReport, now: datetime) -> list[str]:
    """What the data looks like, in lines to read; bronze_quality keeps it."""
    with job.step("measure"):
        quality = sources.measure(job.tables, report)
        sources.keep_quality(job.tables, quality, ingested_at=now)
    return quality.lines()


def _written_by_ingest(report: sources.IngestReport, *, measured: bool) -> list[str]:
    if not report.files_read:
        return []
    return [
        *sources.BRONZE,
        *(["bronze_metadata"] if report.metadata else []),
        *(["bronze_quality"] if measured else []),
    ]


def prepare(job: Job) -> Summary:
    """bronze -> silver: repeats resolved, sparse users and items dropped, dense indices, splits."""
    job.tables.watch(*SILVER)
    ratings, items = job.tables.read("bronze_ratings"), job.tables.read("bronze_items")
    held_out = sources.read_held_out(job.spark, job.settings)
    asked, rejects = (held_out.pairs, _by_reason(held_out.rejects)) if held_out else (None, {})
    metadata = job.tables.read("bronze_metadata") if job.settings.metadata.path else None
    stamp = prepare_id(job.tables, job.settings)
    with (
        job.step("prepare"),
        preparation.prepare(ratings, items, job.settings, metadata=metadata, probe=asked) as silver,
    ):
        _write_silver(job, silver, stamp)
    report = silver.report
    rows = {
        "ratings in": report.rows_in,
        "repeats resolved": report.duplicates,
        "dropped by the filters": report.filtered,
        "kept": report.kept,
        "users": report.users,
        "items": report.items,
        **{f"{split} rows": getattr(report, split) for split in ("train", "validation", "test")},
        **(_matched(job) if metadata is not None else {}),
    }
    return Summary(rows=rows, rejects=rejects, tables=SILVER)


def _matched(job: Job) -> dict[str, int]:
    """How many items found their film, and how many did not because it would have been a guess."""
    rates = job.tables.read("silver_match_rates").select("matched_by", "matched", "items").collect()
    matched = sum(row["items"] for row in rates if row["matched"])
    ambiguous = sum(row["items"] for row in rates if row["matched_by"] in preparation.AMBIGUOUS)
    return {"items matched to films": matched, "items with ambiguous titles": ambiguous}


def _write_silver(job: Job, silver: preparation.Silver, stamp: str) -> None:
    """The users first and the interactions last, so that it shows where a prepare was cut off; the others at once."""
    job.tables.replace("silver_users", silver.users, stamp=stamp)
    small = {
        "silver_items": silver.items,
        "silver_match_rates": silver.match_rates,
        "silver_item_text": silver.text.weights,
        "silver_vocabulary": silver.text.vocabulary,
    }
    with ThreadPoolExecutor(len(small)) as pool:
        for write in [pool.submit(job.tables.replace, table, rows, stamp=stamp) for table, rows in small.items()]:
            write.result()
    job.tables.replace("silver_interactions", silver.interactions, stamp=stamp)


def evaluate(job: Job, chosen: Sequence[runs.Run]) -> Summary:
    """Runs -> their metrics on the held-out split."""
    interactions = job.tables.read("silver_interactions", version=job.tables.version("silver_interactions"))
    prepared = current_prepare(job.tables)
    for run in chosen:
        _require_prepare(run, prepared)
    split = job.settings.evaluate.split
    with job.step(f"evaluate {len(chosen)} runs"), evaluation.hold_out(interactions, job.settings.evaluate) as held_out:

        def measure(run: runs.Run) -> list[dict[str, Any]]:
            labels = {"run_id": run.run_id, "run_date": run.run_date, "model": run.model, "split": split}
            metrics = evaluation.evaluate(runs.load(job.tables, run.run_id), held_out, job.settings.scale)
            return [labels | row.asDict() for row in metrics]

        with ThreadPoolExecutor(_RUNS_AT_ONCE) as pool:
            measured = list(chain.from_iterable(pool.map(measure, chosen)))
    ids = ", ".join(sql_text(run.run_id) for run in chosen)
    here = f"run_id IN ({ids}) AND split = '{split}' AND NOT {EPOCH_METRICS}"
    job.tables.put("gold_metrics", measured, here)
    return Summary(rows={"runs evaluated": len(chosen)}, tables=("gold_metrics",), notes=_told(measured))


def _told(measured: Sequence[Mapping[str, Any]]) -> list[str]:
    """Of each run the metrics that most ask for, in a line."""
    lines: dict[str, list[str]] = {}
    for row in measured:
        if row["value"] is not None and row["metric"].startswith(_ASKED_FOR):
            lines.setdefault(row["model"], []).append(f"{row['metric']} {row['value']:.4f}")
    return [f"{model}: {', '.join(values)}" for model, values in lines.items()]


def recommend(job: Job, run: runs.Run) -> Summary:
    """A run -> top-N of every user, and similar items where the model can tell."""
    model = _loaded(job, run, current_prepare(job.tables))
    users, items = job.tables.read("silver_users"), job.tables.read("silver_items")
    condition = f"run_date = DATE'{job.run_date}'"
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
        job.tables.replace_where("gold_recommendations", rows, condition)
    written = ["gold_recommendations"]
    if models.Capability.SIMILAR in model.capabilities:
        with job.step("similar items"):
            similar = recommending.similar_titles(
                model, items, n=job.settings.recommend.similar_n, run_id=run.run_id, run_date=job.run_date
            )
            job.tables.replace_where("gold_similar_items", similar, condition)
        written.append("gold_similar_items")
    return Summary(tables=written)


def score(job: Job, run: runs.Run, *, pairs: str, csv: str | None, text: str | None) -> Summary:
    """A run -> predictions for the pairs asked for, in their order; also as a file where one is named."""
    model = _loaded(job, run, current_prepare(job.tables))
    model.require(models.Capability.PREDICT)
    users, items = job.tables.read("silver_users"), job.tables.read("silver_items")
    asked, rejects = _pairs(job, pairs, users=users, items=items)
    with job.step(f"score by {run.model}"):
        scored = recommending.score_pairs(model, asked, users, items, job.settings.scale)
        labels = {"run_id": F.lit(run.run_id), "pairs": F.lit(pairs)}
        here = (F.col("run_id") == F.lit(run.run_id)) & (F.col("pairs") == F.lit(pairs))
        where = f"run_id = {sql_text(run.run_id)} AND pairs = {sql_text(pairs)}"
        job.tables.replace_where("gold_predictions", scored.withColumns(labels), where)
    written = job.tables.read("gold_predictions").where(here)
    for path, write in ((csv, recommending.write_csv), (text, recommending.write_prize_format)):
        if path is not None:
            with job.step(f"write {path}"):
                write(written, path)
    counts = written.agg(F.count("*"), F.count_if("cold")).first()
    rows, cold = (counts[0], counts[1]) if counts else (0, 0)
    files = [f"wrote {path}" for path in (csv, text) if path is not None]
    return Summary(
        rows={"pairs scored": rows, "of them with an unknown user or item": cold},
        rejects=rejects,
        tables=("gold_predictions",),
        notes=files,
    )


def _loaded(job: Job, run: runs.Run, prepared: str) -> models.TrainedModel:
    _require_prepare(run, prepared)
    return runs.load(job.tables, run.run_id)


def _require_prepare(run: runs.Run, prepared: str) -> None:
    """Raise TableError unless it was trained on the silver tables as they stand: `prepare` numbers users anew."""
    if prepared != run.prepare_id:
        raise TableError(
            f"run {run.run_id}: trained on the silver tables of prepare {run.prepare_id}, which are now those of "
            f"{prepared} with other indices: train {run.model} again"
        )


def _pairs(job: Job, path: str, *, users: DataFrame, items: DataFrame) -> tuple[DataFrame, dict[str, int]]:
    if not path.endswith((".txt", ".txt.gz")):
        return recommending.read_pairs(job.spark, path, users=users, items=items), {}
    return _prize_pairs(job, path)


def _prize_pairs(job: Job, path: str) -> tuple[DataFrame, dict[str, int]]:
    """The file's pairs, and its rejected lines by reason."""
    read = sources.read_pairs(job.spark, path, job.settings.ingest)
    return read.pairs, _by_reason(read.rejects)


def _by_reason(rejects: DataFrame) -> dict[str, int]:
    return {row["reason"]: row["count"] for row in rejects.groupBy("reason").count().collect()}


def chosen_run(job: Job, *, model: str | None = None, run_id: str | None = None) -> runs.Run:
    """The run named, or the newest of the model named, or the newest of recommend.model."""
    if run_id is None and model is None:
        model = job.settings.recommend.model
    return runs.find(job.tables, run_id=run_id, model=model)


def chosen_runs(job: Job, *, models: Sequence[str], run_ids: Sequence[str]) -> list[runs.Run]:
    """The runs named and the newest of each model named; without either, the newest of each of the night's models."""
    names = models if models or run_ids else job.settings.nightly.models
    chosen = [chosen_run(job, run_id=run_id) for run_id in run_ids] + [chosen_run(job, model=name) for name in names]
    return list({run.run_id: run for run in chosen}.values())
