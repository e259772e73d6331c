"""Alternating least squares on Spark by the block solver: where it starts, what it keeps of each iteration, its end."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Annotated, NamedTuple

import numpy as np
import pyarrow as pa
from pydantic import Field
from pyspark.sql import DataFrame

from nightreel.models.contract import EpochMetric, TrainingContext
from nightreel.models.engine.catalogue import Floats, Ints, factor_matrix
from nightreel.models.forms.arrays import Lists, Ratings
from nightreel.models.forms.factors import FactorModel
from nightreel.models.solve.blocks import as_rows, pack, shipping, size_of, solve_side
from nightreel.models.solve.loss import Loss
from nightreel.models.solve.spark_als import AlternatingParams
from nightreel.settings.sections import PositiveInt

IN_ONE_TASK = 1_000_000
"""Rows up to which one task does all iterations, where the number of blocks is not given."""


class BlockParams(AlternatingParams):
    """What the block solver takes besides."""

    warm_iterations: PositiveInt
    """Iterations of a training that goes on from an earlier one."""
    blocks: Annotated[int, Field(ge=0)]
    """Blocks of users and of items, the unit of a task; 0: one for each million ratings, and two more. Up to a million
    ratings one task then does all iterations."""


class HeldOut(NamedTuple):
    """Rows that say when to stop: what the vectors are to give for pairs of indices, (rows,) each."""

    users: Ints
    items: Ints
    target: Floats


def factorise_in_blocks(
    rows: DataFrame,
    params: BlockParams,
    *,
    seed: int,
    context: TrainingContext | None,
    implicit: bool = False,
    power: float = 1.0,
    held_out: HeldOut | None = None,
    patience: int = 0,
) -> tuple[DataFrame, DataFrame]:
    """The vectors of users and of items, whatever the blocks, as least_squares.alternate gives them.

    A run that goes on from an earlier one starts with the users, from the earlier vectors of the items.

    Parameters
    ----------
    rows : grain user x item; columns user_idx int, item_idx int, rating float: of `implicit`, alpha times confidence
    power : of the ratings of a user or item, whose number multiplies the penalty
    held_out, patience : iterations without a lower RMSE of these rows after which it stops, with the best; 0: never

    Returns
    -------
    grain user and grain item; columns <index> int, factors array<float> of length rank
    """
    from nightreel.models.solve.least_squares import solved, start

    rank, reg = params.rank, params.reg
    size = size_of(rows, rank=rank)
    users, items = start(size.users, size.items, rank=rank, seed=seed)
    earlier = None if context is None else context.earlier
    plan = _Plan(params.iterations, False, held_out, patience, size.rows)
    if isinstance(earlier, FactorModel) and earlier.rank == rank:
        items = _laid_over(earlier.items, items)
        plan = plan._replace(iterations=params.warm_iterations, goes_on=True)

    def solve(lists: Lists, other: Floats, own: Floats, exact: bool) -> tuple[Floats, Loss]:
        return solved(lists, other, own, reg=reg, implicit=implicit, exact=exact, power=power)

    def of_block(lists: Lists, other: Floats, own: Floats, _: Ints, exact: bool) -> tuple[Floats, Loss]:
        return solve(lists, other, own, exact)

    if params.blocks == 0 and size.rows <= IN_ONE_TASK:
        users, items, history = _in_one_task(rows, solve, plan, users, items)
    else:
        packed = pack(rows, size, blocks=params.blocks)
        with shipping("" if context is None else context.folder) as ship:

            def on_executors(side: str, other: Floats, own: Floats, exact: bool) -> tuple[Floats, Loss]:
                loads = ship(_OTHER[side], other), ship(side, own)
                return solve_side(getattr(packed, side), *loads, partial(of_block, exact=exact), width=rank)

            users, items, history = _alternate(on_executors, plan, users, items)
    if context is not None:
        context.keep_history(history)
    spark = rows.sparkSession
    return as_rows(spark, users, "user_idx", zeros=not implicit), as_rows(spark, items, "item_idx", zeros=not implicit)


_OTHER = {"users": "items", "items": "users"}


class _Plan(NamedTuple):
    """goes_on : the items' vectors are those of an earlier run, and the users' are solved for first"""

    iterations: int
    goes_on: bool
    held_out: HeldOut | None
    patience: int
    rows: int


def _alternate(
    solve: Callable[[str, Floats, Floats, bool], tuple[Floats, Loss]], plan: _Plan, users: Floats, items: Floats
) -> tuple[Floats, Floats, list[EpochMetric]]:
    """The vectors of users and items, and what each iteration left.

    Parameters
    ----------
    solve : from a side, the other side's vectors, its own and whether exactly, to its new ones and what they leave
    """
    history, best, held_out = list[EpochMetric](), _Best(np.inf, 0, users, items), plan.held_out
    if plan.goes_on:
        users, _ = solve("users", items, users, True)
    for number in range(1, plan.iterations + 1):
        items, of_items = solve("items", users, items, False)
        users, of_users = solve("users", items, users, number == plan.iterations)
        loss = of_users.squares + of_users.penalty + of_items.penalty
        history.append(EpochMetric("train", f"loss@epoch{number}", loss, plan.rows))
        if held_out is None:
            continue
        rmse = _rmse(held_out, users, items)
        history.append(EpochMetric("validation", f"rmse@epoch{number}", rmse, len(held_out.target)))
        if rmse < best.rmse:
            best = _Best(rmse, number, users, items)
        elif plan.patience and number - best.iteration >= plan.patience:
            break
    if plan.patience and best.iteration:
        users, items = best.users, best.items
    return users, items, history


def _in_one_task(
    rows: DataFrame, solve: Callable[[Lists, Floats, Floats, bool], tuple[Floats, Loss]], plan: _Plan, users: Floats,
    items: Floats,
) -> tuple[Floats, Floats, list[EpochMetric]]:  # fmt: skip
    """All iterations of few rows at once: each would take longer to plan than to compute."""

    def train(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        given = pa.Table.from_batches(batches)
        if not given.num_rows:
            return
        columns = (given.column(name).to_numpy() for name in ("user_idx", "item_idx", "rating"))
        ratings = Ratings.of(*columns, n_users=len(users), n_items=len(items))
        lists = {"users": ratings.by_user, "items": ratings.by_item}

        def of_side(side: str, other: Floats, own: Floats, exact: bool) -> tuple[Floats, Loss]:
            return solve(lists[side], other, own, exact)

        found = _alternate(of_side, plan, users, items)
        parts = [part.astype(np.float32).tobytes() for part in found[:2]]
        yield pa.RecordBatch.from_pydict({"users": parts[:1], "items": parts[1:], "history": [json.dumps(found[2])]})

    trained = rows.repartition(1).mapInArrow(train, "users binary, items binary, history string").toArrow()
    rank = users.shape[1]
    vectors = [np.frombuffer(trained[name][0].as_buffer(), np.float32).reshape(-1, rank) for name in ("users", "items")]
    return vectors[0], vectors[1], [EpochMetric(*metric) for metric in json.loads(trained["history"][0].as_py())]


class _Best(NamedTuple):
    rmse: float
    iteration: int
    users: Floats
    items: Floats


def _laid_over(earlier: DataFrame, vectors: Floats) -> Floats:
    """The vectors, and in their place those of a trained model's side where it has them."""
    rows = earlier.select("item_idx", "factors").toArrow()
    index = rows["item_idx"].to_numpy()
    there, laid = index < len(vectors), vectors.copy()
    laid[index[there]] = factor_matrix(rows["factors"], vectors.shape[1])[there]
    return laid


def _rmse(rows: HeldOut, users: Floats, items: Floats) -> float:
    told = np.einsum("ij,ij->i", users[rows.users], items[rows.items])
    return float(np.sqrt(np.mean((rows.target - told) ** 2)))
