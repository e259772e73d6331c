"""The training runs: what was trained when and from what, and the trained models themselves."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from typing import Any

from pyspark.sql import functions as F

from nightreel.errors import ConfigurationError, TableError
from nightreel.models.contract import TrainedModel
from nightreel.models.forms.blend import ListBlend, RatingBlend
from nightreel.models.forms.factors import FactorModel
from nightreel.models.forms.neighbours import NeighbourModel
from nightreel.models.forms.network import NetworkModel
from nightreel.models.run import FINISHED as FINISHED
from nightreel.models.run import Run as Run
from nightreel.settings.sections import Section
from nightreel.tables import Tables, digest, sql_text

_PARTS = {"gold_user_factors": "users", "gold_item_factors": "items", "gold_neighbours": "table"}
"""The tables of trained models, and what of a model is in each; a form has some of them."""

_SHOWN = 10


def new_run_id(run_date: date, model: str, *parts: object) -> str:
    """<run_date>-<model>-<digest>: the same night from the same parts is the same run.

    Parameters
    ----------
    parts : what the model follows from, such as hyperparameters, seed and versions: settings sections or JSON types
    """
    plain = [part.model_dump(mode="json") if isinstance(part, Section) else part for part in parts]
    return f"{run_date.isoformat()}-{model}-{digest(plain)[:12]}"


def save(
    tables: Tables,
    model: TrainedModel,
    *,
    run_id: str,
    run_date: date,
    params: Section,
    seed: int,
    interactions_version: int,
    prepare_id: str,
    started_at: datetime,
    finished_at: datetime,
    code_version: str,
    members: Mapping[str, str] | None = None,
    earlier: str | None = None,
) -> Run:
    """Write the model, and its run last, so that a listed run is whole. Saving a run again replaces it.

    Parameters
    ----------
    members : of a blend, the run_id of each member
    earlier : the run whose vectors the training went on from
    started_at, finished_at : with their time zone
    """
    if not isinstance(model, FactorModel | NeighbourModel | NetworkModel | RatingBlend | ListBlend):
        raise TypeError(f"no tables are kept for models of form {model.form}")
    run = Run(
        run_id=run_id,
        run_date=run_date,
        model=model.algorithm,
        params=params.model_dump(mode="json"),
        seed=seed,
        interactions_version=interactions_version,
        prepare_id=prepare_id,
        code_version=code_version,
        started_at=started_at,
        finished_at=finished_at,
        status=FINISHED,
        form=model.form,
        header=model.header()
        | ({"members": dict(members)} if members else {})
        | ({"earlier": earlier} if earlier else {}),
    )
    this_run = f"run_id = {sql_text(run_id)}"
    named = F.lit(run_id).alias("run_id")
    sides = {name: getattr(model, part) for name, part in _PARTS.items() if hasattr(model, part)}
    with ThreadPoolExecutor(len(_PARTS)) as pool:  # most of a commit is waiting
        list(pool.map(lambda name: tables.replace_where(name, sides[name].select(named, "*"), this_run), sides))
    encoded = {name: json.dumps(getattr(run, name), sort_keys=True) for name in ("params", "header")}
    tables.put("gold_runs", [vars(run) | encoded], this_run)
    return run


def tables_of(model: TrainedModel) -> list[str]:
    """The tables that `save` writes."""
    return ["gold_runs", *(name for name, part in _PARTS.items() if hasattr(model, part))]


def load(tables: Tables, run: Run) -> TrainedModel:
    """The run's trained model.

    Raises
    ------
    TableError : the run's tables are missing, or this version cannot read the run's form
    """
    with run.being_read():
        return _load(tables, run)


def _load(tables: Tables, run: Run) -> TrainedModel:
    of_run = F.col("run_id") == F.lit(run.run_id)
    users, items = (tables.read(f"gold_{side}_factors").where(of_run) for side in ("user", "item"))
    if run.form == NeighbourModel.form:
        ratings = tables.read("silver_interactions", version=run.interactions_version).where("split = 'train'")
        table = tables.read("gold_neighbours").where(of_run)
        return NeighbourModel.restore(run.model, run.header, users=users, items=items, table=table, ratings=ratings)
    if run.form in (RatingBlend.form, ListBlend.form):
        members = {name: load(tables, find(tables, run_id=run_id)) for name, run_id in run.header["members"].items()}
        if run.form == RatingBlend.form:
            return RatingBlend.restore(run.model, run.header, members=members)
        return ListBlend.restore(run.model, run.header, members=members, users=users)
    for form in FactorModel, NetworkModel:
        if run.form == form.form:
            return form.restore(run.model, run.header, users=users, items=items)
    raise TableError(
        f"run {run.run_id}: form {run.form} is unknown here; was it trained by another version of nightreel?"
    )


def find(
    tables: Tables,
    *,
    run_id: str | None = None,
    model: str | None = None,
    run_date: date | None = None,
    until: date | None = None,
) -> Run:
    """The newest finished run, by run_date and then by end, of those that match all that is given.

    Parameters
    ----------
    until : the last run date

    Raises
    ------
    ConfigurationError : none matches; names those there are
    TableError : nothing was ever trained
    """
    rows = [row for row in tables.few("gold_runs", status=FINISHED) if until is None or row["run_date"] <= until]
    newest_first = sorted(rows, key=lambda row: row["run_id"])
    newest_first.sort(key=lambda row: (row["run_date"], row["finished_at"]), reverse=True)
    filters = {"run_id": run_id, "model": model, "run_date": run_date}
    given = {name: value for name, value in filters.items() if value is not None}
    matching = [row for row in newest_first if all(row[name] == value for name, value in given.items())]
    if not matching:
        raise ConfigurationError(
            _none_matches(given | ({} if until is None else {"a date until": until}), newest_first)
        )
    return Run.of(matching[0])


def finished(tables: Tables) -> dict[str, str]:
    """The prepare_id of each finished run; none where nothing was trained."""
    if not tables.exists("gold_runs"):
        return {}
    return {row["run_id"]: row["prepare_id"] for row in tables.few("gold_runs", status=FINISHED)}


def _none_matches(given: Mapping[str, object], newest_first: Sequence[Mapping[str, Any]]) -> str:
    wanted = ", ".join(f"{name} {value}" for name, value in given.items()) or "any"
    shown = [row["run_id"] for row in newest_first[: _SHOWN + 1]]
    present = ", ".join(shown[:_SHOWN]) + (", and older ones" if len(shown) > _SHOWN else "")
    return f"no finished run with {wanted}; there are: {present or 'none, train a model first'}"
