"""A run's trained model for one person, from the tables: the items' side whole, of the users only who is asked for.

In every model here the person is user 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from nightreel.errors import CapabilityError, ConfigurationError, TableError
from nightreel.models.contract import Capability
from nightreel.models.forms.arrays import ArrayModel, Lists, Ratings, Side, list_columns, lists_of
from nightreel.models.forms.blend_arrays import ListBlendArrays, RatingBlendArrays
from nightreel.models.forms.factor_arrays import FactorArrays
from nightreel.models.forms.fold_in import FoldIn
from nightreel.models.forms.neighbour_arrays import NeighbourArrays, NeighbourRule
from nightreel.models.forms.samples import Samples
from nightreel.models.run import FINISHED, Run
from nightreel.tables.snapshot import Snapshot
from nightreel.tables.sql import sql_text


def runs_of(snapshot: Snapshot) -> list[Run]:
    """The finished runs, the newest first."""
    order = "run_date DESC, finished_at DESC, run_id"
    return [Run.of(row) for row in snapshot.dicts("gold_runs", where=f"status = '{FINISHED}'", order=order)]


def find(snapshot: Snapshot, *, run_id: str | None = None, model: str | None = None, is_current: bool = True) -> Run:
    """The run with this id, or the newest of this model; is_current: only if its indices are the silver tables'.

    Raises
    ------
    ConfigurationError : there is none; names those there are
    TableError : its indices are not those of the silver tables
    """
    runs = runs_of(snapshot)
    chosen = [run for run in runs if run_id in (None, run.run_id) and model in (None, run.model)]
    if not chosen:
        present = sorted({run.model for run in runs}) if run_id is None else [run.run_id for run in runs[:10]]
        said = f"run {run_id}" if model is None else f"run of model {model}"
        raise ConfigurationError(f"no finished {said}; there are: {', '.join(present) or 'none, train a model first'}")
    current = snapshot.stamp("silver_users")
    if is_current and chosen[0].prepare_id != current:
        raise TableError(
            f"run {chosen[0].run_id}: trained on the silver tables of prepare {chosen[0].prepare_id}, which are now "
            f"those of {current}: train {chosen[0].model} again"
        )
    return chosen[0]


def trained_model(snapshot: Snapshot, run: Run, *, n_items: int, ratings: Ratings, user_idx: int | None) -> ArrayModel:
    """The run's model with one user.

    Parameters
    ----------
    ratings : the person's: of a trained user those it was trained on
    user_idx : a trained user; None: somebody new, who is folded in

    Raises
    ------
    CapabilityError : somebody new, and the model cannot add users
    """
    if run.form == "factors":
        model: ArrayModel = _factors(snapshot, run, n_items, _user(snapshot, run, user_idx))
    elif run.form == "neighbours":
        model = _neighbours(snapshot, run, n_items, ratings, user_idx)
    elif run.form in ("rating_blend", "list_blend"):
        return _blend(snapshot, run, n_items, ratings, user_idx)
    else:
        from nightreel.models.forms.network_arrays import network_arrays

        items, users = _side(snapshot, run, "item", n_items), _user(snapshot, run, user_idx)
        model = network_arrays(run.header, users=users, items=items, user_idx=user_idx)
    return model if user_idx is not None else model.with_users(ratings)


def whole_model(snapshot: Snapshot, run: Run) -> FactorArrays:
    """The run's model with all its users; of factors."""
    return _factors(snapshot, run, 0, _side(snapshot, run, "user", 0))


def _factors(snapshot: Snapshot, run: Run, n_items: int, users: Side) -> FactorArrays:
    header = run.header
    return FactorArrays(
        users=users,
        items=_side(snapshot, run, "item", n_items),
        mean=header["mean"],
        global_mean=header["global_mean"],
        capabilities=_can(run),
        fold_in=FoldIn.of(header),
        samples=Samples.of(header),
    )


def _neighbours(snapshot: Snapshot, run: Run, n_items: int, ratings: Ratings, user_idx: int | None) -> NeighbourArrays:
    rule = NeighbourRule(**run.header["rule"])
    users, scale = _user(snapshot, run, user_idx), np.ones(n_items, np.float32)
    if rule.axis == "item":
        rows = snapshot.rows("gold_neighbours", where=_of_run(run))
        lists = list_columns(rows["neighbours"], rows["weights"]).only(ratings.item_idx)
        owners = np.repeat(rows["idx"].to_numpy(), lists.counts)
        table = lists_of(owners, lists.ids, lists.values, n_rows=n_items)
        scale[rows["idx"].to_numpy()] = rows["scale"].to_numpy()
    elif user_idx is None:
        raise CapabilityError("the model cannot take users that it was not trained on")
    else:
        users, scale, table, ratings = _with_neighbours(snapshot, run, ratings, user_idx)
    return NeighbourArrays(
        rule=rule,
        users=users,
        items=_side(snapshot, run, "item", n_items),
        table=table,
        scale=scale,
        ratings=ratings,
        global_mean=run.header["global_mean"],
        capabilities=_can(run),
    )


def _with_neighbours(snapshot: Snapshot, run: Run, ratings: Ratings, user_idx: int) -> tuple[Side, Any, Lists, Ratings]:
    """The user as user 0 and its nearest users after it: biases, scales, the first user's neighbours, all ratings."""
    mine = snapshot.dicts("gold_neighbours", where=f"{_of_run(run)} AND idx = {user_idx}")
    neighbours = mine[0]["neighbours"] if mine else []
    ids = [user_idx, *neighbours]
    within = f"IN ({', '.join(map(str, ids))})"
    scales = snapshot.rows("gold_neighbours", ("idx", "scale"), where=f"{_of_run(run)} AND idx {within}")
    scale_of = dict(zip(scales["idx"].to_pylist(), scales["scale"].to_pylist(), strict=True))
    rows = snapshot.rows("gold_user_factors", where=f"{_of_run(run)} AND user_idx {within}")
    whole = Side.laid_out(rows, "user_idx", size=max(ids) + 1)
    side = Side(*(part[ids] for part in whole))
    weights = np.array(mine[0]["weights"] if mine else [], np.float32)
    starts = np.concatenate([[0], np.full(len(ids), len(neighbours))])
    table = Lists(starts, np.arange(1, len(ids), dtype=np.int32), weights)
    theirs = snapshot.rows(
        "silver_interactions",
        ("user_idx", "item_idx", "rating"),
        where=f"split = 'train' AND user_idx {within}",
        version=run.interactions_version,
    )
    place = {idx: row for row, idx in enumerate(ids)}
    owners = np.array([place[idx] for idx in theirs["user_idx"].to_pylist()], np.int64)
    given = (theirs[name].to_numpy() for name in ("item_idx", "rating"))
    others = Ratings.of(owners, *given, n_users=len(ids), n_items=ratings.n_items) if theirs.num_rows else ratings
    return side, np.array([scale_of.get(idx, 1.0) for idx in ids], np.float32), table, others


def _blend(snapshot: Snapshot, run: Run, n_items: int, ratings: Ratings, user_idx: int | None) -> ArrayModel:
    header = run.header
    members = {
        name: trained_model(snapshot, find(snapshot, run_id=run_id), n_items=n_items, ratings=ratings,
                            user_idx=user_idx)
        for name, run_id in header["members"].items()
    }  # fmt: skip
    if run.form == "rating_blend":
        return RatingBlendArrays(members, header["weights"], header["intercept"])
    half, min_rating = header["half"], header["min_rating"]
    share = ListBlendArrays.share_of(ratings, half=half, min_rating=min_rating)
    regular, newcomer = members.values()
    return ListBlendArrays(regular, newcomer, share, header["depth"], half, min_rating, _can(run))


def _user(snapshot: Snapshot, run: Run, user_idx: int | None) -> Side:
    """The trained user as user 0; of somebody new, no user."""
    if user_idx is None:
        return Side.of(np.empty(0, np.float32))
    rows = snapshot.rows("gold_user_factors", where=f"{_of_run(run)} AND user_idx = {user_idx}")
    rows = rows.set_column(
        rows.schema.get_field_index("user_idx"), "user_idx", pa.array([0] * rows.num_rows, pa.int32())
    )
    return Side.laid_out(rows, "user_idx", size=1)


def _side(snapshot: Snapshot, run: Run, side: str, size: int) -> Side:
    rows = snapshot.rows(f"gold_{side}_factors", where=_of_run(run))
    return Side.laid_out(rows, f"{side}_idx", size=size)


def _of_run(run: Run) -> str:
    return f"run_id = {sql_text(run.run_id)}"


def _can(run: Run) -> frozenset[Capability]:
    return frozenset(map(Capability, run.header["capabilities"]))


def similar_to(snapshot: Snapshot, run: Run, item_idx: int, *, n: int) -> Sequence[tuple[int, float]]:
    """The items most similar to one: by their weights of a neighbours form, else by the cosine of their vectors.

    Raises
    ------
    ConfigurationError : the run's model compares no items
    """
    if run.form == "list_blend":
        return similar_to(snapshot, find(snapshot, run_id=next(iter(run.header["members"].values()))), item_idx, n=n)
    if Capability.SIMILAR not in run.header.get("capabilities", ()):
        raise ConfigurationError(f"run {run.run_id}: model {run.model} compares no items; name another with --model")
    if run.form == "neighbours":
        rows = snapshot.dicts("gold_neighbours", where=f"{_of_run(run)} AND idx = {item_idx}")
        return list(zip(rows[0]["neighbours"], rows[0]["weights"], strict=True))[:n] if rows else []
    factors = _side(snapshot, run, "item", item_idx + 1).factors.astype(np.float64)
    lengths = np.linalg.norm(factors, axis=1)
    usable = np.isfinite(lengths) & (lengths > 0)
    if not usable[item_idx]:
        return []
    cosines = np.full(len(factors), -np.inf)
    cosines[usable] = factors[usable] @ factors[item_idx] / (lengths[usable] * lengths[item_idx])
    cosines[item_idx] = -np.inf
    best = np.argsort(-cosines, kind="stable")[:n]
    return [(int(place), float(np.clip(cosines[place], -1, 1))) for place in best if np.isfinite(cosines[place])]
