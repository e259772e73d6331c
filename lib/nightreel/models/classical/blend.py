"""Blends of trained models: a linear stack of predicted ratings, and lists by how much a user has liked."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from itertools import combinations_with_replacement
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from nightreel.errors import ConfigurationError, DataError
from nightreel.models.contract import Algorithm, Capability, ParamsT, TrainingContext
from nightreel.models.engine.one_task import ArrayContext, FitsArrays
from nightreel.models.forms.arrays import Ratings
from nightreel.models.forms.blend import ListBlend, RatingBlend, member_predictions, shares
from nightreel.models.forms.blend_arrays import ListBlendArrays, RatingBlendArrays
from nightreel.settings.sections import Names, Penalty, PositiveInt, Section


class BlendParams(Section):
    """Hyperparameters of `blend`."""

    members: Annotated[Names, Field(min_length=2)]
    """Models that predict ratings."""
    reg: Penalty
    """Draws the weights to equal ones that sum to 1, in squared rating units."""


class BlendListsParams(Section):
    """Hyperparameters of `blend_lists`."""

    regular: str
    """The model for users who have liked much."""
    newcomer: str
    """The model for users who have liked little."""
    half: Penalty
    """Positives at which both weigh the same."""
    min_rating: float
    """What counts as a positive."""
    depth: PositiveInt
    """Items of each member's list that are put together."""


class BlendAlgorithm(FitsArrays, Algorithm[ParamsT]):
    """An algorithm that puts together models which are trained before it, on the same rows."""

    uses_validation: ClassVar[bool] = False

    @abstractmethod
    def members(self) -> Sequence[str]:
        """The names of the models it needs."""

    def _trained(self, context: TrainingContext | ArrayContext | None, capability: Capability) -> Mapping[str, Any]:
        """The members: trained models, or of an ArrayContext models in memory."""
        if context is None or context.trained is None:
            raise ConfigurationError(f"model {self.name}: needs trained models: {', '.join(self.members())}")
        models = {name: context.trained(name) for name in self.members()}
        for model in models.values():
            model.require(capability)
        return models


class Blend(BlendAlgorithm[BlendParams]):
    """prediction = w_0 + sum(w_m * prediction of member m), by least squares on the validation rows.

    Minimises mean (r - w_0 - sum w_m p_m)^2 + reg * sum (w_m - 1/M)^2 (linear stacking: Breiman, "Stacked Regressions",
    Machine Learning 1996; Töscher, Jahrer and Bell, "The BigChaos Solution to the Netflix Grand Prize", 2009). Only
    sums of products leave the executors: any number of rows.
    """

    name = "blend"
    params_type = BlendParams
    uses_validation = True

    def members(self) -> Sequence[str]:
        return self.params.members

    def fit(self, interactions: DataFrame, *, seed: int, context: TrainingContext | None = None) -> RatingBlend:
        members = self._trained(context, Capability.PREDICT)
        validation = None if context is None else context.validation
        if validation is None:
            raise DataError("model blend: there are no validation rows to fit it on; split.validation_share is 0")
        rows = member_predictions(members, validation.select("user_idx", "item_idx", "rating"))
        columns = [*(f"_{name}" for name in members), "rating"]
        pairs = list(combinations_with_replacement(range(len(columns)), 2))
        sums = rows.where(~F.col("_cold")).agg(
            F.count("*"),
            *(F.sum(F.col(name).cast("double")) for name in columns),
            *(F.sum(F.col(columns[a]).cast("double") * F.col(columns[b])) for a, b in pairs),
        )
        count, *values = sums.collect()[0]
        if not count:
            raise DataError("model blend: no validation row has a user and an item that its members know")
        means = np.array(values[: len(columns)]) / count
        products = np.zeros((len(columns), len(columns)))
        for (a, b), value in zip(pairs, values[len(columns) :], strict=True):
            products[a, b] = products[b, a] = value / count
        weights, intercept = stacked_weights(products - np.outer(means, means), means, reg=self.params.reg)
        return RatingBlend(self.name, members, dict(zip(members, weights, strict=True)), intercept)

    def fit_arrays(self, ratings: Ratings, *, seed: int, context: ArrayContext | None = None) -> RatingBlendArrays:
        members = self._trained(context, Capability.PREDICT)
        rows = None if context is None else context.validation
        if rows is None:
            raise DataError("model blend: there are no validation rows to fit it on")
        answers = [member.predict(rows.user_idx, rows.item_idx) for member in members.values()]
        known = ~answers[0].cold
        if not known.any():
            raise DataError("model blend: no validation row has a user and an item that its members know")
        columns = np.array([*(answer.prediction[known] for answer in answers), rows.rating[known]], np.float64)
        weights, intercept = stacked_weights(np.cov(columns, ddof=0), columns.mean(axis=1), reg=self.params.reg)
        return RatingBlendArrays(members, dict(zip(members, weights, strict=True)), intercept)


def stacked_weights(covariance: Any, means: Any, *, reg: float) -> tuple[list[float], float]:
    """The weights and the intercept, from the covariance and the means of the members' predictions and, last, r."""
    of_members = len(means) - 1
    equal = np.full(of_members, 1.0 / of_members)
    left = covariance[:-1, :-1] + reg * np.eye(of_members)
    weights = np.linalg.lstsq(left, covariance[:-1, -1] + reg * equal, rcond=None)[0]
    return weights.tolist(), float(means[-1] - weights @ means[:-1])


class BlendLists(BlendAlgorithm[BlendListsParams]):
    """A newcomer gets what is popular, a regular what fits: lists weighted by n / (n + half), n positives of the user.

    The form (ListBlend) says how two members' scores are made comparable. As large as its members.
    """

    name = "blend_lists"
    params_type = BlendListsParams

    def members(self) -> Sequence[str]:
        return (self.params.regular, self.params.newcomer)

    def fit(self, interactions: DataFrame, *, seed: int, context: TrainingContext | None = None) -> ListBlend:
        members = self._trained(context, Capability.RECOMMEND)
        can = {Capability.RECOMMEND} | (members[self.params.regular].capabilities & {Capability.SIMILAR})
        return ListBlend(
            algorithm=self.name,
            members=members,
            users=shares(interactions, half=self.params.half, min_rating=self.params.min_rating),
            depth=self.params.depth,
            half=self.params.half,
            min_rating=self.params.min_rating,
            capabilities=frozenset(can),
        )

    def fit_arrays(self, ratings: Ratings, *, seed: int, context: ArrayContext | None = None) -> ListBlendArrays:
        members = self._trained(context, Capability.RECOMMEND)
        regular, newcomer = members.values()
        half, min_rating = self.params.half, self.params.min_rating
        share = ListBlendArrays.share_of(ratings, half=half, min_rating=min_rating)
        return ListBlendArrays(regular, newcomer, share, self.params.depth, half, min_rating)
