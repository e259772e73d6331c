"""The factors form: score = mean + user bias + item bias + user vector . item vector."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from nightreel.errors import DataError
from nightreel.models.contract import Capability, TrainedModel
from nightreel.models.engine.catalogue import factor_matrix
from nightreel.models.engine.top_n import similar_items, top_n
from nightreel.models.forms.arrays import Side
from nightreel.models.forms.fold_in import FixedItems, FoldIn
from nightreel.models.forms.samples import Samples


@dataclass(frozen=True)
class FactorModel(TrainedModel):
    """Biases and vectors for every user and item of the training rows.

    Parameters
    ----------
    algorithm : the registry's name of what trained it
    users : grain user; columns user_idx int, bias float, factors array<float>, mean_rating float
    items : grain item; columns item_idx int, bias float, factors array<float>, mean_rating float
    mean : the constant of the score: 0 where the vectors carry the level themselves
    global_mean : mean training rating, the fallback of a pair whose user and item are both unknown
    rank : length of every vector; 0 for a model that is biases only
    """

    form: ClassVar[str] = "factors"
    algorithm: str
    users: DataFrame
    items: DataFrame
    mean: float
    global_mean: float
    rank: int
    capabilities: frozenset[Capability]
    fold_in: FoldIn | None = None
    """How users are added; None where they cannot be."""
    samples: Samples | None = None
    """Where the vectors are a chain's samples, what they are."""

    @property
    def tells_uncertainty(self) -> bool:
        return self.samples is not None

    def predict(self, pairs: DataFrame) -> DataFrame:
        self.require(Capability.PREDICT)
        joined = join_sides(pairs, users=self.users, items=self.items)
        if self.samples is not None:
            return _by_samples(joined, pairs.columns, self.samples, mean=self.mean)
        score = F.lit(self.mean) + F.col("_user_bias") + F.col("_item_bias")
        if self.rank:
            score += _dot("_user_factors", "_item_factors", rank=self.rank).cast("double")
        return with_fallback(joined, score, columns=pairs.columns, global_mean=self.global_mean)

    def recommend(self, users: DataFrame, *, n: int, seen: DataFrame) -> DataFrame:
        self.require(Capability.RECOMMEND)
        best = top_n(self._side_of(users.select("user_idx")), self.items, n=n, seen=seen)
        score = (F.col("score") + F.lit(self.mean)).cast("float").alias("score")
        return best.select("user_idx", "rank", "item_idx", score)

    def _side_of(self, users: DataFrame) -> DataFrame:
        """Grain user; columns user_idx, bias, factors: the average user's for users that the model does not have."""
        vector = F.array(*[F.avg(F.get("factors", F.lit(place))) for place in range(self.rank)])
        average = self.users.agg(
            F.avg("bias").cast("float").alias("average_bias"), vector.cast("array<float>").alias("average_factors")
        )
        trained = self.users.select("user_idx", "bias", "factors", F.lit(True).alias("trained"))
        # Outer joins, both: Spark leaves them out where only the largest user_idx is needed.
        rows = users.join(trained, "user_idx", "left").join(F.broadcast(average), F.lit(True), "left")
        own_or_average = [
            F.when(F.col("trained"), F.col(name)).otherwise(F.col(f"average_{name}")).alias(name)
            for name in ("bias", "factors")
        ]
        return rows.select("user_idx", *own_or_average)

    def similar(self, *, n: int) -> DataFrame:
        self.require(Capability.SIMILAR)
        return similar_items(self.items, n=n)

    def with_users(self, ratings: DataFrame) -> FactorModel:
        if self.fold_in is None:
            raise self.cannot_add_users()
        items = Side.laid_out(self.items.toArrow(), "item_idx")
        around = None if self.samples is None else self.samples.user
        fixed = FixedItems(self.fold_in, items, mean=self.mean, around=around)
        lists = ratings.select("user_idx", "item_idx", F.col("rating").cast("float").alias("rating"))
        grouped = lists.groupBy("user_idx").agg(
            F.collect_list("item_idx").alias("items"), F.collect_list("rating").alias("ratings")
        )

        def fold(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for batch in batches:
                yield _folded(fixed, batch)

        schema = "user_idx int, bias float, factors array<float>, mean_rating float"
        return replace(self, users=grouped.mapInArrow(fold, schema))

    def with_vectors(
        self, users: DataFrame, items: DataFrame, *, algorithm: str, rank: int, can: frozenset[Capability],
        fold_in: FoldIn | None,
    ) -> FactorModel:  # fmt: skip
        """This model's biases and means for the users and items that have a vector, and the vectors.

        Parameters
        ----------
        users, items : grain user, item; columns <index> int, factors array<float> of length rank
        """
        return FactorModel(
            algorithm=algorithm,
            users=with_factors(self.users, users, "user_idx"),
            items=with_factors(self.items, items, "item_idx"),
            mean=self.mean,
            global_mean=self.global_mean,
            rank=rank,
            capabilities=can,
            fold_in=fold_in,
        )

    def header(self) -> dict[str, Any]:
        """What is kept with the two tables, as JSON types."""
        return {
            "mean": self.mean,
            "global_mean": self.global_mean,
            "rank": self.rank,
            "capabilities": sorted(self.capabilities),
            "fold_in": asdict(self.fold_in) if self.fold_in else None,
            "samples": self.samples.header() if self.samples else None,
        }

    @classmethod
    def restore(cls, algorithm: str, header: Mapping[str, Any], *, users: DataFrame, items: DataFrame) -> Self:
        """The model whose `header` and tables these are."""
        return cls(
            algorithm=algorithm,
            users=users.select("user_idx", "bias", "factors", "mean_rating"),
            items=items.select("item_idx", "bias", "factors", "mean_rating"),
            mean=header["mean"],
            global_mean=header["global_mean"],
            rank=header["rank"],
            capabilities=frozenset(map(Capability, header["capabilities"])),
            fold_in=FoldIn.of(header),
            samples=Samples.of(header),
        )


def _folded(fixed: FixedItems, users: pa.RecordBatch) -> pa.RecordBatch:
    """Columns user_idx, items, ratings -> user_idx, bias, factors, mean_rating."""
    columns = list[tuple[float, Any, float]]()
    for items, ratings in zip(users.column("items"), users.column("ratings"), strict=True):
        values = ratings.values.to_numpy()
        user = fixed.fold(items.values.to_numpy(), values)
        columns.append((user.bias, user.vector, float(values.mean())))
    biases, vectors, means = zip(*columns, strict=True) if columns else ((), (), ())
    return pa.RecordBatch.from_arrays(
        [
            users.column("user_idx"), pa.array(biases, pa.float32()),
            pa.array(list(vectors), pa.list_(pa.float32())), pa.array(means, pa.float32()),
        ],
        ["user_idx", "bias", "factors", "mean_rating"],
    )  # fmt: skip


def join_sides(pairs: DataFrame, *, users: DataFrame, items: DataFrame) -> DataFrame:
    """The pairs with the biases, factors and means of their user and item; null where the model does not know it.

    Parameters
    ----------
    pairs : columns user_idx, item_idx and any others
    users, items : grain user, item; columns <side>_idx, bias float, factors array<float>, mean_rating float

    Returns
    -------
    the pairs' columns, then for both sides _<side>_bias double, _<side>_factors, _<side>_mean double: names that no
    column of the pairs has
    """
    for side, table in (("user", users), ("item", items)):
        columns = table.select(
            f"{side}_idx",
            F.col("bias").cast("double").alias(f"_{side}_bias"),
            F.col("factors").alias(f"_{side}_factors"),
            F.col("mean_rating").cast("double").alias(f"_{side}_mean"),
        )
        pairs = pairs.join(columns, f"{side}_idx", "left")
    return pairs


def _by_samples(joined: DataFrame, columns: list[str], samples: Samples, *, mean: float) -> DataFrame:
    """The columns, then prediction, cold and uncertainty; who or what is unknown is drawn from the prior."""

    def told(user_bias: pa.Array, item_bias: pa.Array, users: pa.Array, items: pa.Array) -> pa.Array:
        sides = []
        for bias, vectors, unknown in ((user_bias, users, samples.user), (item_bias, items, samples.item)):
            new, laid = (
                vectors.is_null().to_numpy(zero_copy_only=False),
                factor_matrix(vectors, len(unknown.vector)).copy(),
            )
            laid[new] = unknown.vector
            sides.append((laid, np.where(new, unknown.bias, bias.to_numpy(zero_copy_only=False))))
        (user, of_user), (item, of_item) = sides
        score = mean + of_user + of_item + np.einsum("ij,ij->i", user, item)
        columns = [pa.array(values, pa.float32()) for values in (score, samples.deviation(user, item))]
        return pa.StructArray.from_arrays(columns, ["prediction", "uncertainty"])

    both = F.arrow_udf(told, "prediction float, uncertainty float")(  # type: ignore[attr-defined]
        "_user_bias", "_item_bias", "_user_factors", "_item_factors"
    )
    unknown = F.col("_user_factors").isNull() | F.col("_item_factors").isNull()
    own = [F.col(f"`{name}`") for name in columns]
    told_of = joined.select(*own, unknown.alias("cold"), both.alias("_told"))
    return told_of.select(*own, "_told.prediction", "cold", "_told.uncertainty")


def with_fallback(joined: DataFrame, score: Column, *, columns: list[str], global_mean: float) -> DataFrame:
    """The columns, then prediction float and cold boolean.

    Where the score is null, the pair is cold: its prediction is the item's mean, else the user's, else the global one.
    """
    fallback = F.coalesce("_item_mean", "_user_mean", F.lit(global_mean))
    return joined.select(
        *(F.col(f"`{name}`") for name in columns),
        F.coalesce(score.cast("double"), fallback).cast("float").alias("prediction"),
        score.isNull().alias("cold"),
    )


def mean_rating(interactions: DataFrame) -> float:
    """The global mean; raises DataError where there are no ratings."""
    row = interactions.select(F.avg(F.col("rating").cast("double"))).first()
    if row is None or row[0] is None:
        raise DataError("no ratings to train on: the training rows are empty")
    return float(row[0])


def with_factors(side: DataFrame, learnt: DataFrame, key: str) -> DataFrame:
    """Grain user or item in both; columns <key>, bias, factors, mean_rating, each from whichever side has it."""
    return side.drop("factors").join(learnt, key, "inner").select(key, "bias", "factors", "mean_rating")


def without_factors(side: DataFrame, key: str) -> DataFrame:
    """Grain user or item; columns <key>, bias float, factors array<float> (empty), mean_rating float."""
    return side.select(
        key,
        F.col("bias").cast("float").alias("bias"),
        F.array().cast("array<float>").alias("factors"),
        F.col("mean_rating").cast("float").alias("mean_rating"),
    )


def _dot(left: str, right: str, *, rank: int) -> Column:
    """The rows' inner products; null where either vector is null.

    numpy over Arrow batches: at rank 64 seven times as fast as aggregate(zip_with(...)), which boxes every element.
    """

    def products(left: pa.Array, right: pa.Array) -> pa.Array:
        both = pc.and_(left.is_valid(), right.is_valid())
        sums = np.einsum("ij,ij->i", factor_matrix(left, rank), factor_matrix(right, rank))
        return pc.if_else(both, pa.array(sums), None)

    column: Column = F.arrow_udf(products, "float")(left, right)  # type: ignore[attr-defined]
    return column
