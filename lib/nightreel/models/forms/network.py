"""The network form: a torch module whose weights lie in a file, scored in batches on the executors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from nightreel.models.contract import Capability, TrainedModel
from nightreel.models.engine.catalogue import Ints, Ranked, Users
from nightreel.models.engine.top_n import check_places, rank_unseen, similar_items
from nightreel.models.forms.factors import join_sides, with_fallback
from nightreel.models.forms.network_arrays import Weights, catalogue, fitted_users, scores_of_pairs, users_of
from nightreel.models.solve.spark_als import cut

_ADDED_AT_ONCE = 1024
"""Users whose rows are fitted together."""


@dataclass(frozen=True)
class NetworkModel(TrainedModel):
    """A trained network, and the users and items of its training rows.

    Parameters
    ----------
    algorithm : the registry's name of what trained it
    users : grain user; columns user_idx int, bias float (0), factors array<float> (empty), mean_rating float
    items : grain item; columns item_idx int, bias float (0), factors array<float> (the item's part of the first layer,
        by which items are compared), mean_rating float
    weights : the folder with model.safetensors and model.json, which every executor reaches, and their digest
    global_mean : mean training rating, the fallback of a pair whose user and item are both unknown
    table_l2 : of the training, for users that are added
    added : whether the users are others than those of the training; their factors are their rows of the user table
    """

    form: ClassVar[str] = "network"
    algorithm: str
    users: DataFrame
    items: DataFrame
    weights: Weights
    global_mean: float
    table_l2: float
    capabilities: frozenset[Capability]
    added: bool = False

    def predict(self, pairs: DataFrame) -> DataFrame:
        self.require(Capability.PREDICT)
        joined = join_sides(pairs, users=self.users, items=self.items)
        both = F.col("_user_mean").isNotNull() & F.col("_item_mean").isNotNull()
        weights = self.weights

        def scores(users: pa.Array, items: pa.Array) -> pa.Array:
            return scores_of_pairs(weights, users, items)

        score = F.arrow_udf(scores, "float")(  # type: ignore[attr-defined]
            F.when(both, F.col("_user_factors" if self.added else "user_idx")), F.when(both, F.col("item_idx"))
        )
        scored = joined.select(*(F.col(f"`{name}`") for name in joined.columns), score.alias("_score"))
        return with_fallback(scored, F.col("_score"), columns=pairs.columns, global_mean=self.global_mean)

    def recommend(self, users: DataFrame, *, n: int, seen: DataFrame) -> DataFrame:
        self.require(Capability.RECOMMEND)
        check_places(n)
        rows = ("factors",) if self.added else ()
        known = self.users.select("user_idx", F.lit(True).alias("known"), *rows)
        asked = users.select("user_idx").join(known, "user_idx", "left")
        items = self.items.select("item_idx").toArrow().column(0).to_numpy().astype(np.int32).tobytes()
        weights = self.weights

        def best(group: pa.Table, seen: Ints, counts: Ints) -> tuple[Users, Ranked]:
            users = users_of(weights, group, seen, counts)
            return users, catalogue(weights, items).best(users, n)

        return rank_unseen(asked, seen, best)

    def with_users(self, ratings: DataFrame) -> NetworkModel:
        """Each user's row is fitted to its ratings by the training's loss, all else frozen, in groups of users."""
        known = self.items.select("item_idx")
        rows = ratings.select("user_idx", "item_idx", F.col("rating").cast("float")).join(
            known, "item_idx", "left_semi"
        )
        n_items = 1 + (known.agg(F.max("item_idx")).collect()[0][0] or 0)
        groups = 1 + rows.agg(F.count_distinct("user_idx")).collect()[0][0] // _ADDED_AT_ONCE
        weights, table_l2 = self.weights, self.table_l2

        def fitted(group: pa.Table) -> pa.Table:
            return fitted_users(weights, group, n_items=n_items, table_l2=table_l2)

        grouped = rows.groupBy(F.pmod(F.xxhash64("user_idx"), F.lit(groups)))
        users = cut(grouped.applyInArrow(fitted, "user_idx int, mean_rating float, factors array<float>"))
        return replace(self, users=users.withColumn("bias", F.lit(0.0)), added=True)

    def similar(self, *, n: int) -> DataFrame:
        self.require(Capability.SIMILAR)
        return similar_items(self.items.select("item_idx", "factors"), n=n)

    def header(self) -> dict[str, Any]:
        """What is kept with the two tables and the folder, as JSON types."""
        return {
            "global_mean": self.global_mean,
            "folder": self.weights.folder,
            "digest": self.weights.digest,
            "table_l2": self.table_l2,
            "capabilities": sorted(self.capabilities),
        }

    @classmethod
    def restore(cls, algorithm: str, header: Mapping[str, Any], *, users: DataFrame, items: DataFrame) -> Self:
        """The model whose `header` and tables these are."""
        return cls(
            algorithm=algorithm,
            users=users.select("user_idx", "bias", "factors", "mean_rating"),
            items=items.select("item_idx", "bias", "factors", "mean_rating"),
            weights=Weights(header["folder"], header["digest"]),
            global_mean=header["global_mean"],
            table_l2=header["table_l2"],
            capabilities=frozenset(map(Capability, header["capabilities"])),
        )
