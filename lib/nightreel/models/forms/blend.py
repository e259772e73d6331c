"""The blend form: weights of other trained models, whose answers it puts together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from nightreel.models.contract import Capability, TrainedModel
from nightreel.models.forms.factors import without_factors


@dataclass(frozen=True)
class RatingBlend(TrainedModel):
    """prediction = intercept + sum(weight * the member's prediction); of a cold pair, the fallback of its members.

    Parameters
    ----------
    members : by name, trained on the same rows
    weights : by the same names
    """

    form: ClassVar[str] = "rating_blend"
    algorithm: str
    members: Mapping[str, TrainedModel]
    weights: Mapping[str, float]
    intercept: float
    capabilities: frozenset[Capability] = frozenset({Capability.PREDICT})

    def predict(self, pairs: DataFrame) -> DataFrame:
        self.require(Capability.PREDICT)
        columns = pairs.columns
        predicted = member_predictions(self.members, pairs)
        score = F.lit(self.intercept)
        for name, weight in self.weights.items():
            score = score + F.lit(weight) * F.col(f"_{name}")
        first = F.col(f"_{next(iter(self.members))}")
        return predicted.select(
            *(F.col(f"`{column}`") for column in columns),
            F.when(F.col("_cold"), first).otherwise(score).cast("float").alias("prediction"),
            F.col("_cold").alias("cold"),
        )

    def recommend(self, users: DataFrame, *, n: int, seen: DataFrame) -> DataFrame:
        raise self.cannot(Capability.RECOMMEND)

    def with_users(self, ratings: DataFrame) -> RatingBlend:
        return replace(self, members={name: member.with_users(ratings) for name, member in self.members.items()})

    def similar(self, *, n: int) -> DataFrame:
        raise self.cannot(Capability.SIMILAR)

    def header(self) -> dict[str, Any]:
        """What is kept, as JSON types; the members are runs of their own."""
        return {"weights": dict(self.weights), "intercept": self.intercept}

    @classmethod
    def restore(cls, algorithm: str, header: Mapping[str, Any], *, members: Mapping[str, TrainedModel]) -> Self:
        """The model whose `header` this is, with its members."""
        return cls(algorithm, members, header["weights"], header["intercept"])


def member_predictions(members: Mapping[str, TrainedModel], pairs: DataFrame) -> DataFrame:
    """The pairs' columns, then _<name> double for each member, and _cold boolean."""
    for place, (name, member) in enumerate(members.items()):
        pairs = member.predict(pairs).withColumnsRenamed({"prediction": f"_{name}"})
        pairs = (pairs.withColumnsRenamed({"cold": "_cold"}) if place == 0 else pairs.drop("cold")).drop("uncertainty")
    return pairs


@dataclass(frozen=True)
class ListBlend(TrainedModel):
    """Two rankers' lists put together by how much a user has liked: `regular` for those who did, else `newcomer`.

    score(user, item) = w(n) * r(item) + (1 - w(n)) * p(item), w(n) = n / (n + half) for a user with n positives, r and
    p the members' scores within the user's best `depth` items of each, from 0 for the lowest score to 1 for the
    highest; 0 for an item outside that list.

    Parameters
    ----------
    members : by name, first the one for regulars, then the one for newcomers, trained on the same rows
    users : grain user; columns user_idx int, bias float (w(n)), factors array<float> (empty), mean_rating float
    """

    form: ClassVar[str] = "list_blend"
    algorithm: str
    members: Mapping[str, TrainedModel]
    users: DataFrame
    depth: int
    half: float
    min_rating: float
    capabilities: frozenset[Capability]

    def predict(self, pairs: DataFrame) -> DataFrame:
        raise self.cannot(Capability.PREDICT)

    def recommend(self, users: DataFrame, *, n: int, seen: DataFrame) -> DataFrame:
        self.require(Capability.RECOMMEND)
        asked, depth = users.select("user_idx"), max(n, self.depth)
        regular, newcomer = (member.recommend(asked, n=depth, seen=seen) for member in self.members.values())
        share = F.coalesce("bias", F.lit(0.0))
        lists = _scaled(regular, F.lit(True)).union(_scaled(newcomer, F.lit(False)))
        part = F.when(F.col("regular"), share).otherwise(1 - share) * F.col("scaled")
        weighted = lists.join(self.users.select("user_idx", "bias"), "user_idx", "left")
        scored = weighted.groupBy("user_idx", "item_idx").agg(F.sum(part).cast("float").alias("score"))
        place = F.row_number().over(Window.partitionBy("user_idx").orderBy(F.desc("score"), "item_idx"))
        ranked = scored.withColumn("rank", place).where(F.col("rank") <= n)
        return ranked.select("user_idx", "rank", "item_idx", "score")

    def with_users(self, ratings: DataFrame) -> ListBlend:
        members = {name: member.with_users(ratings) for name, member in self.members.items()}
        users = shares(ratings, half=self.half, min_rating=self.min_rating)
        return replace(self, members=members, users=users)

    def similar(self, *, n: int) -> DataFrame:
        self.require(Capability.SIMILAR)
        return next(iter(self.members.values())).similar(n=n)

    def header(self) -> dict[str, Any]:
        """What is kept with the tables, as JSON types; the members are runs of their own."""
        return {
            "depth": self.depth,
            "half": self.half,
            "min_rating": self.min_rating,
            "capabilities": sorted(self.capabilities),
        }

    @classmethod
    def restore(
        cls, algorithm: str, header: Mapping[str, Any], *, members: Mapping[str, TrainedModel], users: DataFrame
    ) -> Self:
        """The model whose `header` and table these are, with its members."""
        can = frozenset(map(Capability, header["capabilities"]))
        users = users.select("user_idx", "bias", "factors", "mean_rating")
        how = {name: header[name] for name in ("depth", "half", "min_rating")}
        return cls(algorithm, members, users, **how, capabilities=can)


def shares(ratings: DataFrame, *, half: float, min_rating: float) -> DataFrame:
    """Grain user; columns user_idx, bias (w(n), n the ratings of at least min_rating), factors (empty), mean_rating."""
    liked = F.count_if(F.col("rating") >= F.lit(min_rating))
    share = F.coalesce(F.try_divide(liked, liked + F.lit(half)), F.lit(0.0))
    mean = F.avg(F.col("rating").cast("double")).alias("mean_rating")
    return without_factors(ratings.groupBy("user_idx").agg(share.alias("bias"), mean), "user_idx")


def _scaled(lists: DataFrame, regular: Column) -> DataFrame:
    """Columns user_idx, item_idx, scaled (0 for the lowest score of the user's list, 1 for the highest), regular."""
    of_user = Window.partitionBy("user_idx")
    lowest, highest = F.min("score").over(of_user), F.max("score").over(of_user)
    scaled = F.when(highest > lowest, (F.col("score") - lowest) / (highest - lowest)).otherwise(F.lit(1.0))
    return lists.select("user_idx", "item_idx", scaled.alias("scaled"), regular.alias("regular"))
