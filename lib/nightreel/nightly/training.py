"""The training step: silver tables in, a recorded run of each model out."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from nightreel import __version__, models
from nightreel.errors import ConfigurationError, DataError
from nightreel.job.job import Job, Summary
from nightreel.models import runs
from nightreel.nightly.silver import current_prepare_id, may_go_on
from nightreel.session.spark_session import local_path
from nightreel.tables import digest, sql_text


def train(job: Job, names: Sequence[str], *, resume: bool = False) -> Summary:
    """silver -> a recorded run of each named model.

    With `resume`, a run finished with the same inputs is kept, and a network continues from its last checkpoint.
    """
    prepare_id = current_prepare_id(job.tables)
    names = _in_order(names, job, prepare_id)
    algorithms = {name: models.create(name, job.settings) for name in names}
    version = job.tables.pinned("silver_interactions")
    ratings, context = rows_and_context(job, version)
    finished = runs.finished(job.tables) if resume else {}
    trained, written = 0, list[str]()
    for name, algorithm in algorithms.items():
        run_id = planned_run_id(job, name)
        if finished.get(run_id) == prepare_id:
            job.skip(f"train {name}")
            continue
        trained += 1
        with job.step(f"train {name}"):
            written += _train(
                job, algorithm, ratings, context, run_id=run_id, version=version, prepare_id=prepare_id, resume=resume
            )
    return Summary(rows={"models trained": trained}, tables=list(dict.fromkeys(written)))


def fitting(job: Job, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """The models that can be trained on as much as the silver tables hold, and a line for each that cannot."""
    sizes = {size: job.tables.read(f"silver_{size}").count() for size in ("users", "items", "interactions")}
    fit, refused = list[str](), dict[str, str]()
    for name in sorted(names, key=lambda name: bool(models.members(name, job.settings))):
        algorithm = models.create(name, job.settings)
        missing = [member for member in models.members(name, job.settings) if member in refused]
        try:
            if missing:
                raise DataError(f"model {name}: its member {missing[0]} is left out")
            algorithm.check_size(users=sizes["users"], items=sizes["items"], ratings=sizes["interactions"])
        except DataError as error:
            refused[name] = f"{error}; left out of the night"
        else:
            fit.append(name)
    return [name for name in names if name in fit], list(refused.values())


def planned_run_id(job: Job, model: str) -> str:
    """The run id for the job's date, the model's hyperparameters and the seed: training again replaces the run."""
    members = [planned_run_id(job, member) for member in models.members(model, job.settings)]
    return runs.new_run_id(job.run_date, model, job.settings.models[model], job.settings.train.seed, *members)


def _in_order(names: Sequence[str], job: Job, prepare_id: str) -> list[str]:
    """Blends after all others.

    Raises
    ------
    ConfigurationError : a blend's member is neither named nor trained for the same date with the same settings
    """
    members = {name: models.members(name, job.settings) for name in names}
    known = set(names)
    finished = runs.finished(job.tables) if any(members.values()) else {}
    for name, needed in members.items():
        missing = [m for m in needed if m not in known and finished.get(planned_run_id(job, m)) != prepare_id]
        if missing:
            raise ConfigurationError(
                f"model {name}: needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not trained "
                f"for {job.run_date}: name them too, in nightly.models or with --model"
            )
    return sorted(names, key=lambda name: bool(members[name]))


def _train(
    job: Job,
    algorithm: models.Algorithm[Any],
    ratings: DataFrame,
    context: models.TrainingContext,
    *,
    run_id: str,
    version: int,
    prepare_id: str,
    resume: bool,
) -> Sequence[str]:
    """Returns the tables written."""
    started = datetime.now(UTC)
    epochs: list[models.EpochMetric] = []
    networks = networks_folder(job)
    # A checkpoint is resumed only with the same rows, in the same files, and on as many processes.
    made_from = digest([prepare_id, job.settings.neural.model_dump()])
    folder = networks and networks / f"{run_id}-v{version}-{made_from}"
    members = {name: planned_run_id(job, name) for name in models.members(algorithm.name, job.settings)}

    earlier = _earlier(job, algorithm, prepare_id)

    def trained(name: str) -> models.TrainedModel:
        return runs.load(job.tables, runs.find(job.tables, run_id=members[name]))

    run_context = replace(
        context,
        folder=str(folder or ""),
        resume=resume,
        keep_history=epochs.extend,
        trained=trained,
        earlier=None if earlier is None else runs.load(job.tables, earlier),
    )
    model = algorithm.fit(ratings, seed=job.settings.train.seed, context=run_context)
    runs.save(
        job.tables,
        model,
        run_id=run_id,
        run_date=job.run_date,
        params=algorithm.params,
        seed=job.settings.train.seed,
        interactions_version=version,
        prepare_id=prepare_id,
        started_at=started,
        finished_at=datetime.now(UTC),
        code_version=__version__,
        members=members,
        earlier=None if earlier is None else earlier.run_id,
    )
    if not epochs:
        return runs.tables_of(model)
    labels = {"run_id": run_id, "run_date": job.run_date, "model": algorithm.name}
    job.tables.put("gold_metrics", [labels | epoch._asdict() for epoch in epochs], f"run_id = {sql_text(run_id)}")
    if folder:
        _remove_leftovers(folder, run_id)
    return [*runs.tables_of(model), "gold_metrics"]


def _earlier(job: Job, algorithm: models.Algorithm[Any], prepare_id: str) -> runs.Run | None:
    """The newest run of an earlier date whose vectors the training can go on from."""
    if not (algorithm.goes_on and job.settings.train.warm_start and job.tables.exists("gold_runs")):
        return None
    rows = [
        row
        for row in job.tables.few("gold_runs", status=runs.FINISHED, model=algorithm.name)
        if row["run_date"] < job.run_date and may_go_on(row["prepare_id"], prepare_id, job.settings.split)
    ]
    newest = max(rows, key=lambda row: (row["run_date"], row["finished_at"]), default=None)
    return None if newest is None else runs.Run.of(newest)


def rows_and_context(job: Job, version: int) -> tuple[DataFrame, models.TrainingContext]:
    """The rows to train on, and the context that all models share."""
    rows = job.tables.read("silver_interactions", version=version)
    ratings, validation = (
        rows.where(F.col("split") == split).select("user_idx", "item_idx", "rating")
        for split in ("train", "validation")
    )
    parts = {"train": ratings, "item_text": job.tables.read("silver_item_text")}
    if not validation.isEmpty():
        parts["validation"] = validation
    return ratings, models.TrainingContext(
        folder="",
        scale=job.settings.scale,
        launch=job.settings.neural,
        validation=parts.get("validation"),
        item_text=parts["item_text"],
        files={name: part.inputFiles() for name, part in parts.items()},
    )


def networks_folder(job: Job) -> Path | None:
    """The networks' folder: under neural.folder, by default under tables.root; None if that is no local path."""
    root = local_path(job.settings.neural.folder or job.settings.tables.root)
    return None if root is None else root / job.settings.tables.dataset / "networks"


def _remove_leftovers(folder: Path, run_id: str) -> None:
    """Delete what only the training needs, and earlier networks of the same run."""
    for done in ("checkpoints", "rows"):
        shutil.rmtree(folder / done, ignore_errors=True)
    for other in folder.parent.glob(f"{run_id}-v*"):
        if other != folder:
            shutil.rmtree(other)
