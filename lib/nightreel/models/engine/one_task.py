"""Algorithms that train from all ratings in memory: on Spark in one task, or in several that each make a share."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, TypeAlias

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from nightreel.errors import DataError
from nightreel.models.contract import Algorithm, ParamsT, TrainedModel, TrainingContext
from nightreel.models.engine.catalogue import float_lists
from nightreel.models.engine.row_blocks import WHOLE, Share
from nightreel.models.forms.arrays import ArrayModel, Lists, Ratings, Side, lists_in
from nightreel.models.forms.factor_arrays import FactorArrays
from nightreel.models.forms.factors import FactorModel
from nightreel.models.forms.neighbour_arrays import NeighbourArrays
from nightreel.models.forms.neighbours import NeighbourModel
from nightreel.models.solve.spark_als import cut

Arrays: TypeAlias = FactorArrays | NeighbourArrays

_ROWS_A_BATCH = 1 << 16
_RATINGS_A_TASK = 100_000
ROWS = pa.schema(
    [
        ("part", pa.string()),  # user, item, table, or header
        ("idx", pa.int32()),
        ("bias", pa.float32()),
        ("mean_rating", pa.float32()),
        ("factors", pa.list_(pa.float32())),
        ("scale", pa.float32()),
        ("neighbours", pa.list_(pa.int32())),
        ("weights", pa.list_(pa.float32())),
        ("header", pa.string()),
    ]
)
"""A model as rows; ROWS_DDL says the same to Spark."""
ROWS_DDL = (
    "part string, idx int, bias float, mean_rating float, factors array<float>, scale float, neighbours array<int>, "
    "weights array<float>, header string"
)


@dataclass(frozen=True)
class ArrayContext:
    """What a training in memory may use in addition to its rows.

    item_text : for each item its terms and their weights; None where there is none
    validation : held-out rows of as many users and items, for blends
    trained : the model of that name, trained on the same rows, for blends
    share : the rows of the table of neighbours that are wanted
    """

    item_text: Lists | None = None
    validation: Ratings | None = None
    trained: Callable[[str], ArrayModel] | None = None
    share: Share = WHOLE


def share_of(context: ArrayContext | None) -> Share:
    return WHOLE if context is None else context.share


class FitsArrays(ABC):
    """What an algorithm offers that can train from ratings in memory, whatever its `fit` does on Spark."""

    @property
    def uses_text(self) -> bool:
        """Whether it looks at the items' text."""
        return False

    @abstractmethod
    def fit_arrays(self, ratings: Ratings, *, seed: int, context: ArrayContext | None = None) -> ArrayModel:
        """Train on ratings in memory; the same seed and rows give the same model."""


class InMemory(FitsArrays, Algorithm[ParamsT]):
    """An algorithm that trains from ratings in memory only.

    On Spark all ratings go into one task; where the hyperparameters have `tasks`, into so many, each of which makes its
    share of the table of neighbours.
    """

    most_ratings: ClassVar[int] = 100_000_000
    """More are refused: they, and what is made of them, would not fit one task of some 16 GiB."""
    most_users: ClassVar[int | None] = None
    """Of an algorithm that compares each user with each."""
    most_items: ClassVar[int | None] = None
    """Of an algorithm that compares each item with each."""

    @abstractmethod
    def fit_arrays(self, ratings: Ratings, *, seed: int, context: ArrayContext | None = None) -> Arrays: ...

    def check_size(self, *, users: int, items: int, ratings: int) -> None:
        for count, most, what in ((users, self.most_users, "users"), (items, self.most_items, "items")):
            if most is not None and count > most:
                raise DataError(
                    f"model {self.name}: {count:,} {what}, and it compares each with each, of at most {most:,}"
                )
        if ratings > self.most_ratings:
            raise DataError(
                f"model {self.name}: {ratings:,} ratings, and a task holds them all, of at most {self.most_ratings:,}"
            )

    def fit(self, interactions: DataFrame, *, seed: int, context: TrainingContext | None = None) -> TrainedModel:
        rows = interactions.select(*(F.col(name).cast("int") for name in ("user_idx", "item_idx")),
                                   F.col("rating").cast("float"))  # fmt: skip
        users, items, count = rows.agg(F.max("user_idx"), F.max("item_idx"), F.count("*")).collect()[0]
        if not count:
            raise DataError("no ratings to train on: the training rows are empty")
        self.check_size(users=users + 1, items=items + 1, ratings=count)
        text = item_text_lists(context.item_text) if context is not None and self.uses_text else None
        tasks = min(getattr(self.params, "tasks", 1), 1 + count // _RATINGS_A_TASK)

        def train(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            given = pa.Table.from_batches(batches)
            if given.num_rows:
                share = Share(given["task"][0].as_py(), tasks)
                columns = (given.column(name).to_numpy() for name in ("user_idx", "item_idx", "rating"))
                model = self.fit_arrays(Ratings.of(*columns), seed=seed, context=ArrayContext(text, share=share))
                yield from as_rows(model, share)

        numbers = F.explode(F.sequence(F.lit(0), F.lit(tasks - 1)))
        of_task = rows.withColumn("task", numbers).repartitionById(tasks, F.col("task"))
        trained = cut(of_task.mapInArrow(train, ROWS_DDL))
        return of_rows(trained, algorithm=self.name, ratings=interactions)


def item_text_lists(item_text: DataFrame | None) -> Lists | None:
    """The items' text, collected: for each item its terms and their weights. None where there is none.

    Parameters
    ----------
    item_text : grain item; columns item_idx int, terms array<int>, weights array<float>
    """
    if item_text is None:
        return None
    rows = item_text.select("item_idx", "terms", "weights").toArrow()
    return lists_in(rows, index="item_idx", ids="terms", values="weights") if rows.num_rows else None


def no_positives(model: str, min_rating: float) -> DataError:
    """The error of a ranker that has nothing to learn from."""
    return DataError(f"{model}: no training rating of at least min_rating = {min_rating}")


def as_rows(model: Arrays, share: Share = WHOLE) -> Iterator[pa.RecordBatch]:
    """The model as batches of ROWS: the share's rows of its table, and all else with the first share."""
    capabilities = sorted(model.capabilities)
    header: dict[str, Any] = {"global_mean": model.global_mean, "capabilities": capabilities}
    if isinstance(model, FactorArrays):
        header |= {"mean": model.mean, "rank": model.items.factors.shape[1]}
        header |= {"fold_in": asdict(model.fold_in) if model.fold_in else None}
        header |= {"samples": model.samples.header() if model.samples else None}
    else:
        header |= {"rule": asdict(model.rule)}
        yield from _table_rows(model.table, model, share)
    if share.place:
        return
    for part, side in (("user", model.users), ("item", model.items)):
        yield from _side_rows(part, side)
    yield _batch(part=["header"], header=[json.dumps(header)])


def of_rows(rows: DataFrame, *, algorithm: str, ratings: DataFrame) -> TrainedModel:
    """The model whose rows `as_rows` gave; `ratings` as NeighbourModel has them."""
    header = json.loads(rows.where("part = 'header'").select("header").collect()[0][0])
    users, items = (
        rows.where(F.col("part") == part).select(F.col("idx").alias(f"{part}_idx"), "bias", "factors", "mean_rating")
        for part in ("user", "item")
    )
    if "rule" not in header:
        return FactorModel.restore(algorithm, header, users=users, items=items)
    table = rows.where("part = 'table'")
    return NeighbourModel.restore(algorithm, header, users=users, items=items, table=table, ratings=ratings)


def _side_rows(part: str, side: Side) -> Iterator[pa.RecordBatch]:
    known = np.flatnonzero(side.known)
    for start in range(0, len(known), _ROWS_A_BATCH):
        idx = known[start : start + _ROWS_A_BATCH]
        yield _batch(
            part=[part] * len(idx),
            idx=pa.array(idx, pa.int32()),
            bias=pa.array(side.bias[idx]),
            mean_rating=pa.array(side.mean_rating[idx]),
            factors=float_lists(np.ascontiguousarray(side.factors[idx])),
        )


def _table_rows(table: Lists, model: NeighbourArrays, share: Share) -> Iterator[pa.RecordBatch]:
    side = model.items if model.rule.axis == "item" else model.users
    known = np.flatnonzero(side.known)
    known = known[known % share.of == share.place]
    for start in range(0, len(known), _ROWS_A_BATCH):
        idx = known[start : start + _ROWS_A_BATCH]
        lists = table.of(idx)
        ends = pa.array(lists.starts.astype(np.int32))
        yield _batch(
            part=["table"] * len(idx),
            idx=pa.array(idx, pa.int32()),
            scale=pa.array(model.scale[idx]),
            neighbours=pa.ListArray.from_arrays(ends, pa.array(lists.ids)),
            weights=pa.ListArray.from_arrays(ends, pa.array(lists.values)),
        )


def _batch(**columns: Any) -> pa.RecordBatch:
    """Columns that are not given are null."""
    length = len(columns["part"])
    arrays = [
        pa.array(columns[field.name], field.type) if isinstance(columns.get(field.name), list) else columns[field.name]
        if field.name in columns else pa.nulls(length, field.type)
        for field in ROWS
    ]  # fmt: skip
    return pa.RecordBatch.from_arrays(
        [array.cast(field.type) for array, field in zip(arrays, ROWS, strict=True)], schema=ROWS
    )
