"""Bayesian factorisation over blocks of users and of items on the executors.

Imported where it is called, since loading numba takes a second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from nightreel.models.contract import TrainingContext
from nightreel.models.engine.catalogue import Floats, Ints
from nightreel.models.forms.arrays import Lists
from nightreel.models.solve.blocks import Packed, Size, pack, shipping, solve_side
from nightreel.models.solve.chain import Chain, Gramians
from nightreel.models.solve.gibbs import Prior, draw
from nightreel.models.solve.gramian import symmetric, with_gramian
from nightreel.models.solve.kept_samples import Sampled
from nightreel.models.solve.loss import Loss
from nightreel.models.solve.sampling import SamplingParams, sample, sides_of

_TASKS = 8


def sample_in_blocks(
    rows: DataFrame, size: Size, params: SamplingParams, *, seed: int, blocks: int, context: TrainingContext | None
) -> Sampled:
    """The chain's samples; a training that was killed goes on from its last checkpoint.

    Parameters
    ----------
    rows : grain user x item; columns user_idx int, item_idx int, rating float, less the mean
    """
    names, packed = sides_of(size.users, size.items), pack(rows, size, blocks=blocks)
    folder = "" if context is None else context.folder
    counts = {side: _counts(packed, side) for side in names.values()}
    with shipping(folder) as ship:

        def of_side(side: str, other: Floats, own: Floats, *, prior: Prior, alpha: float, seed: int) -> Floats:
            def of_block(lists: Lists, others: Floats, mine: Floats, of_rows: Ints) -> tuple[Floats, Loss]:
                return draw(lists, others, mine, of_rows, prior=prior, alpha=alpha, seed=seed), Loss(0.0, 0.0)

            loads = ship(f"other-{side}", other), ship(f"own-{side}", own)
            return solve_side(getattr(packed, names[side]), *loads, of_block, width=other.shape[1] + 1)[0]

        gramians = None
        if params.links:
            gramians = _gramians_of_rows(rows, names, counts)
        of_chain = counts[names["wide"]], counts[names["narrow"]]
        chain = Chain(of_side, gramians, of_chain, rank=params.rank, seed=seed)
        checkpoint = Path(folder) / "chain.npz" if folder else None
        return sample(chain, names, params, checkpoint, resume=context is not None and context.resume)


def _counts(packed: Packed, side: str) -> Floats:
    """(rows,): the entries of each row of a side."""
    of_side = getattr(packed, side)

    def count(lists: Lists, _: Floats, __: Floats, ___: Ints) -> tuple[Floats, Loss]:
        return lists.counts.astype(np.float32)[:, None], Loss(0.0, 0.0)

    nothing = np.zeros((of_side.n_rows, 0), np.float32)
    counts: Floats = solve_side(of_side, lambda: nothing, lambda: nothing, count, width=1)[0][:, 0]
    return counts


def _gramians_of_rows(rows: DataFrame, names: dict[str, str], counts: dict[str, Floats]) -> Gramians:
    columns = {"users": "user_idx", "items": "item_idx"}
    wide, narrow = (F.col(columns[names[side]]) for side in ("wide", "narrow"))
    n_narrow = len(counts[names["narrow"]])

    def whole(total: Floats) -> Iterator[pa.RecordBatch]:
        rows_at_once = max(1, (32 << 20) // (4 * n_narrow))
        for start in range(0, n_narrow, rows_at_once):
            part = np.ascontiguousarray(total[start : start + rows_at_once])
            yield pa.RecordBatch.from_pydict({"rows": pa.array([part.tobytes()], pa.binary())})

    def counted(side: str) -> Floats:
        by_entries = (1 / np.sqrt(np.maximum(counts[names[side]], 1))).astype(np.float32)
        scaled = F.arrow_udf(_looked_up(by_entries), "float")(columns[names[side]])  # type: ignore[attr-defined]
        pairs = rows.select(wide.alias("user_idx"), narrow.alias("item_idx"), scaled.alias("value"))
        found = with_gramian(pairs, whole, n_items=n_narrow, tasks=_TASKS, schema="rows binary").toArrow()
        parts = [np.frombuffer(part.as_buffer(), np.float32).reshape(-1, n_narrow) for part in found["rows"]]
        return symmetric(np.concatenate(parts))

    return Gramians(counted("wide"), counted("narrow"))


def _looked_up(values: Floats) -> Callable[[Any], Any]:
    def of(index: pa.Array) -> pa.Array:
        return pa.array(values[index.to_numpy()])

    return of
