"""Alternating least squares on Spark by the block solver: where it starts, what it keeps of each iteration, its end."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import numpy as np
from pydantic import Field
from pyspark.sql import DataFrame

from nightreel.models.contract import EpochMetric, TrainingContext
from nightreel.models.engine.catalogue import Floats, Ints, factor_matrix
from nightreel.models.forms.arrays import Lists
from nightreel.models.forms.factors import FactorModel
from nightreel.models.solve.blocks import Side, as_rows, pack, shipping, solve_side
from nightreel.models.solve.loss import Loss
from nightreel.settings.sections import Penalty, PositiveInt, Section


class BlockParams(Section):
    """Hyperparameters of what the block solver trains."""

    rank: PositiveInt
    reg: Penalty
    """Multiplied by the number of ratings of each user and item (ALS-WR, Zhou et al. 2008)."""
    iterations: PositiveInt
    warm_iterations: PositiveInt
    """Iterations of a training that goes on from an earlier one."""
    blocks: Annotated[int, Field(ge=0)]
    """Blocks of users and of items, the unit of a task; 0: one for each million ratings, and two more."""


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
    held_out: HeldOut | None = None,
    patience: int = 0,
) -> tuple[DataFrame, DataFrame]:
    """The vectors of users and of items, whatever the blocks, as least_squares.alternate gives them.

    A run that goes on from an earlier one starts with the users, from the earlier vectors of the items.

    Parameters
    ----------
    rows : grain user x item; columns user_idx int, item_idx int, rating float: of `implicit`, alpha times confidence
    held_out, patience : iterations without a lower RMSE of these rows after which it stops, with the best; 0: never

    Returns
    -------
    grain user and grain item; columns <index> int, factors array<float> of length rank
    """
    from nightreel.models.solve.least_squares import solved, start

    rank, reg = params.rank, params.reg
    packed = pack(rows, rank=rank, blocks=params.blocks)
    users, items = start(packed.users.n_rows, packed.items.n_rows, rank=rank, seed=seed)
    earlier = None if context is None else context.earlier
    history, best = list[EpochMetric](), _Best(np.inf, 0, users, items)
    with shipping("" if context is None else context.folder) as ship:

        def solve(side: Side, other: Floats, own: Floats, *, exact: bool = False) -> tuple[Floats, Loss]:
            def of_block(lists: Lists, vectors: Floats, mine: Floats) -> tuple[Floats, Loss]:
                return solved(lists, vectors, mine, reg=reg, implicit=implicit, exact=exact)

            return solve_side(side, ship(other), ship(own), of_block, rank=rank)

        iterations = params.iterations
        if isinstance(earlier, FactorModel) and earlier.rank == rank:
            iterations = params.warm_iterations
            items = _laid_over(earlier.items, items)
            users, _ = solve(packed.users, items, users, exact=True)
        for number in range(1, iterations + 1):
            items, of_items = solve(packed.items, users, items)
            users, of_users = solve(packed.users, items, users, exact=number == iterations)
            loss = of_users.squares + of_users.penalty + of_items.penalty
            history.append(EpochMetric("train", f"loss@epoch{number}", loss, packed.rows))
            if held_out is None:
                continue
            rmse = _rmse(held_out, users, items)
            history.append(EpochMetric("validation", f"rmse@epoch{number}", rmse, len(held_out.target)))
            if rmse < best.rmse:
                best = _Best(rmse, number, users, items)
            elif patience and number - best.iteration >= patience:
                break
    if patience and best.iteration:
        users, items = best.users, best.items
    if context is not None:
        context.keep_history(history)
    spark = rows.sparkSession
    return as_rows(spark, users, "user_idx", zeros=not implicit), as_rows(spark, items, "item_idx", zeros=not implicit)


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
