"""The neighbours form in tables: a sparse table of the strongest weights between items, or between users."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from nightreel.errors import DataError
from nightreel.models.contract import Capability, TrainedModel
from nightreel.models.engine.catalogue import Floats, Ints, Ranked, Users
from nightreel.models.engine.top_n import USERS_A_GROUP, check_places, rank_unseen
from nightreel.models.forms.arrays import Bools, Lists, Numbers, list_columns, lists_in, lists_of
from nightreel.models.forms.factors import with_fallback, without_factors
from nightreel.models.forms.neighbour_arrays import NeighbourRule, combined, values_of

MOST_ENTRIES = 1 << 28
"""Weights, or training rows of user neighbours, that travel to every executor to rank: 2 GiB."""


@dataclass(frozen=True)
class NeighbourModel(TrainedModel):
    """The form in tables.

    Parameters
    ----------
    users, items : grain user, item; columns <index> int, bias float, factors array<float> (empty), mean_rating float
    table : grain x; columns idx int, scale float, neighbours array<int> (the strongest first), weights array<float>
    ratings : the training rows; grain user x item; columns user_idx, item_idx, rating
    """

    form: ClassVar[str] = "neighbours"
    algorithm: str
    rule: NeighbourRule
    users: DataFrame
    items: DataFrame
    table: DataFrame
    ratings: DataFrame
    global_mean: float
    capabilities: frozenset[Capability]

    def predict(self, pairs: DataFrame) -> DataFrame:
        self.require(Capability.PREDICT)
        x, y, rule = f"{self.rule.axis}_idx", f"{self.rule.other}_idx", self.rule
        sides = {"user": self.users, "item": self.items}
        of_x, of_y = (
            sides[name].select(
                f"{name}_idx",
                F.col("bias").alias(f"_{name}_bias"),
                F.col("mean_rating").cast("double").alias(f"_{name}_mean"),
            )
            for name in (rule.axis, rule.other)
        )
        lists = self.table.select(F.col("idx").alias(x), "scale", "neighbours", "weights")
        # Grouped Arrow takes no column names with dots: those given travel under others.
        names = {name: f"_given{place}" for place, name in enumerate(pairs.columns)}
        given = pairs.toDF(*names.values()).withColumns({x: F.col(names[x]), y: F.col(names[y])})
        asked = given.join(of_x.join(lists, x, "left"), x, "left").join(of_y, y, "left")
        last = of_y.agg(F.max(y)).collect()[0][0] or 0
        group = F.pmod(F.col(y), F.lit(last // USERS_A_GROUP + 1)).alias("_group")
        asked = asked.withColumn("_group", group)
        rated = self.ratings.join(of_x.join(lists.select(x, "scale"), x), x).join(of_y, y)
        value = values_of(
            rule, F.col("rating"), F.col(f"_{rule.axis}_bias"), F.col(f"_{rule.other}_bias"), F.col("scale")
        )
        histories = rated.select(
            group, F.col(x).alias("_x"), F.col(y).alias("_y"),
            value.cast("float").alias("_value"),
        )  # fmt: skip
        kept = [*names.values(), "_user_mean", "_item_mean"]
        schema = asked.select(*kept, F.lit(None).cast("double").alias("_score")).schema

        def scores(left: pa.Table, right: pa.Table) -> pa.Table:
            score = _scores_of_group(rule, left, right, y=y)
            return left.select(kept).append_column("_score", pa.array(score, pa.float64(), from_pandas=True))

        scored = asked.groupBy("_group").cogroup(histories.groupBy("_group")).applyInArrow(scores, schema)
        scored = scored.toDF(*names, "_user_mean", "_item_mean", "_score")
        return with_fallback(scored, F.col("_score"), columns=pairs.columns, global_mean=self.global_mean)

    def recommend(self, users: DataFrame, *, n: int, seen: DataFrame) -> DataFrame:
        from nightreel.models.engine import neighbour_scores

        self.require(Capability.RECOMMEND)
        check_places(n)
        known, prior = self._items()
        value = F.when(F.col("rating") >= F.lit(self.rule.min_rating), F.lit(1.0)).otherwise(F.lit(self.rule.below))
        histories = self.ratings.select("user_idx", "item_idx", value.cast("float").alias("value")).where("value != 0")
        below, by_item = self.rule.below, self.rule.axis == "item"
        users, seen = users.select("user_idx"), seen.select("user_idx", "item_idx")
        if by_item:
            right = _table_lists(self.table, rows=len(known)).transposed(len(known))
            # A history travels with what the user has seen, as negative numbers: even ones are those that count 1.
            code = -2 - 2 * F.col("item_idx") - (F.col("value") != 1.0).cast("int")
            seen = seen.union(histories.select("user_idx", code))
        else:
            right = _collected(histories)
            lists = self.table.select(F.col("idx").alias("user_idx"), "neighbours", "weights")
            users = users.join(lists, "user_idx", "left")

        def best(group: pa.Table, items: Ints, counts: Ints) -> tuple[Users, Ranked]:
            rows, history = np.repeat(np.arange(len(counts)), counts), items < 0
            unwanted = lists_of(rows[~history], items[~history], np.zeros(sum(~history)), n_rows=len(counts))
            if by_item:
                codes = -2 - items[history]
                values = np.where(codes % 2 == 0, 1.0, below)
                left = lists_of(rows[history], codes // 2, values, n_rows=len(counts))
            else:
                left = list_columns(group.column("neighbours"), group.column("weights"))
            ranked = neighbour_scores.best_items(left, right, items=known, prior=prior, n=n, seen=unwanted)
            return Users(np.zeros(len(counts), np.float32), np.empty((0, 0), np.float32), items, counts), ranked

        return rank_unseen(users, seen, best)

    def with_users(self, ratings: DataFrame) -> NeighbourModel:
        if self.rule.axis == "user" or self.rule.combine != "rank":
            raise self.cannot_add_users()
        of_user = ratings.groupBy("user_idx").agg(F.avg(F.col("rating").cast("double")).alias("mean_rating"))
        users = without_factors(of_user.withColumn("bias", F.lit(0.0)), "user_idx")
        return replace(self, users=users, ratings=ratings.select("user_idx", "item_idx", "rating"))

    def _items(self) -> tuple[Bools, Floats]:
        """By item_idx: known, and the bias."""
        rows = self.items.select("item_idx", "bias").toArrow()
        index = rows.column("item_idx").to_numpy()
        known = np.zeros(int(index.max(initial=-1)) + 1, np.bool_)
        prior = np.zeros(len(known), np.float32)
        known[index], prior[index] = True, rows.column("bias").to_numpy()
        return known, prior

    def similar(self, *, n: int) -> DataFrame:
        self.require(Capability.SIMILAR)
        check_places(n)
        near = self.table.select(
            F.col("idx").alias("item_idx"), F.posexplode(F.slice(F.arrays_zip("neighbours", "weights"), 1, n))
        )
        return near.select(
            "item_idx",
            (F.col("pos") + 1).alias("rank"),
            F.col("col.neighbours").alias("similar_item_idx"),
            F.col("col.weights").alias("similarity"),
        )

    def header(self) -> dict[str, Any]:
        """What is kept with the tables, as JSON types."""
        return {
            "rule": asdict(self.rule),
            "global_mean": self.global_mean,
            "capabilities": sorted(self.capabilities),
        }

    @classmethod
    def restore(
        cls, algorithm: str, header: Mapping[str, Any], *, users: DataFrame, items: DataFrame, table: DataFrame,
        ratings: DataFrame,
    ) -> Self:  # fmt: skip
        """The model whose `header` and tables these are, and whose training rows."""
        return cls(
            algorithm=algorithm,
            rule=NeighbourRule(**header["rule"]),
            users=users.select("user_idx", "bias", "factors", "mean_rating"),
            items=items.select("item_idx", "bias", "factors", "mean_rating"),
            table=table.select("idx", "scale", "neighbours", "weights"),
            ratings=ratings.select("user_idx", "item_idx", "rating"),
            global_mean=header["global_mean"],
            capabilities=frozenset(map(Capability, header["capabilities"])),
        )


def _scores_of_group(rule: NeighbourRule, left: pa.Table, right: pa.Table, *, y: str) -> Numbers:
    """(pairs,) float64, NaN where a side is unknown. The group's y, and its pairs, are numbered anew."""
    pairs, axis, other = left.num_rows, rule.axis, rule.other
    known = left.column("scale").is_valid().to_numpy() & left.column(f"_{other}_bias").is_valid().to_numpy()
    ids = np.unique(right.column("_y").to_numpy())
    asked_y = left.column(y).fill_null(-1).to_numpy()
    place = np.minimum(np.searchsorted(ids, asked_y), max(len(ids) - 1, 0))
    found = (ids[place] == asked_y) if len(ids) else np.zeros(pairs, np.bool_)
    histories = lists_of(
        np.searchsorted(ids, right.column("_y").to_numpy()), right.column("_x").to_numpy(),
        right.column("_value").to_numpy(), n_rows=len(ids),
    )  # fmt: skip
    numbers = {
        name: left.column(name).fill_null(0.0).to_numpy().astype(np.float64)
        for name in (f"_{axis}_bias", f"_{other}_bias", f"_{axis}_mean", "scale")
    }
    score = combined(
        rule,
        list_columns(left.column("neighbours"), left.column("weights")),
        np.where(known, np.arange(pairs), -1),
        np.where(found & known, place, -1),
        histories,
        base=numbers[f"_{axis}_bias"] + numbers[f"_{other}_bias"],
        scale=numbers["scale"],
        mean=numbers[f"_{axis}_mean"],
    )
    return np.where(known, score, np.nan)


def _table_lists(table: DataFrame, *, rows: int) -> Lists:
    """The table by idx, collected."""
    total = table.agg(F.coalesce(F.sum(F.size("neighbours")), F.lit(0))).collect()[0][0]
    _refuse_beyond(total, "neighbours")
    collected = table.select("idx", "neighbours", "weights").toArrow()
    return lists_in(collected, index="idx", ids="neighbours", values="weights", n_rows=rows)


def _collected(histories: DataFrame) -> Lists:
    """By user, the items and what they count."""
    _refuse_beyond(histories.count(), "training rows")
    rows = histories.toArrow()
    users, items, values = (rows.column(name).to_numpy() for name in ("user_idx", "item_idx", "value"))
    return lists_of(users, items, values, n_rows=int(users.max(initial=-1)) + 1)


def _refuse_beyond(entries: int, what: str) -> None:
    if entries > MOST_ENTRIES:
        raise DataError(f"{entries:,} {what}: more than {MOST_ENTRIES:,} do not travel to the executors to rank")
