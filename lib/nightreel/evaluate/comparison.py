"""Cross-validation of many models on the same folds: what is compared, the folds, and what the figures say."""

from __future__ import annotations

import copy
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from pydantic import ValidationError
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from nightreel.errors import ConfigurationError
from nightreel.models import create, members
from nightreel.models.contract import Algorithm
from nightreel.settings import Settings
from nightreel.settings.layers import known
from nightreel.settings.sections import CompareSettings, Section

if TYPE_CHECKING:
    import pandas as pd

RATING_METRICS = ("rmse", "mae", "coverage", "cold_rows")


@dataclass(frozen=True)
class Candidate:
    """A model with its hyperparameters, and how the tables name it: `als`, or `als rank=8` of a grid."""

    label: str
    model: str
    algorithm: Algorithm[Any]
    members: Mapping[str, Algorithm[Any]] = field(default_factory=dict)
    """Of a blend, what it puts together."""

    @property
    def algorithms(self) -> tuple[Algorithm[Any], ...]:
        """All that it trains."""
        return (self.algorithm, *self.members.values())

    @property
    def params(self) -> str:
        """As JSON."""
        dumped = self.algorithm.params.model_dump(mode="json")
        of_members = {f"{name}_params": one.params.model_dump(mode="json") for name, one in self.members.items()}
        return json.dumps(dumped | of_members, sort_keys=True)


def candidates(settings: Settings, *, models: Sequence[str] = (), grid: Sequence[str] = ()) -> list[Candidate]:
    """The models, each with all combinations of its grid.

    Parameters
    ----------
    models : names; by default compare.models and those of the grid
    grid : `als.rank=8,16,32`, values as in TOML

    Raises
    ------
    ConfigurationError : an unknown model or key, or a value out of range
    """
    axes: dict[str, dict[str, list[Any]]] = {}
    for text in grid:
        model, key, values = _axis(text)
        create(model, settings)
        axes.setdefault(model, {})[key] = values
    names = list(dict.fromkeys(models or [*settings.compare.models, *axes]))
    missing = [model for model in axes if model not in names]
    if missing:
        raise ConfigurationError(f"--grid {missing[0]}: the model is not compared; add --model {missing[0]}")
    found: list[Candidate] = []
    for name in names:
        algorithm, axis = create(name, settings), axes.get(name, {})
        for combination in product(*axis.values()):
            chosen = dict(zip(axis, combination, strict=True))
            of_blend = {one: create(one, settings) for one in members(name, settings)}
            found.append(Candidate(label_of(name, chosen), name, with_params(algorithm, chosen), of_blend))
    return found


def label_of(model: str, values: Mapping[str, Any]) -> str:
    """How the tables name a model with other hyperparameters: `als rank=8`."""
    shown = (f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}" for key, value in values.items())
    return " ".join([model, *shown])


def with_params(algorithm: Algorithm[Any], values: Mapping[str, Any]) -> Algorithm[Any]:
    """The algorithm with other hyperparameters, by dotted keys; raises ConfigurationError in one line."""
    params: dict[str, Any] = algorithm.params.model_dump()
    for dotted, value in values.items():
        *path, key = dotted.split(".")
        table = params
        for part in path:
            table = table.get(part, {}) if isinstance(table.get(part, {}), dict) else {}
        if key not in table:
            raise ConfigurationError(
                f"--grid {algorithm.name}.{dotted}: unknown key; {known(key, sorted(table), 'known here')}"
            )
        table[key] = value
    try:
        changed: Section = type(algorithm.params).model_validate(params)
    except ValidationError as error:
        fault = error.errors()[0]
        key = ".".join(map(str, fault["loc"]))
        message = fault["msg"].removeprefix("Value error, ")
        raise ConfigurationError(f"--grid {algorithm.name}.{key}: {message[:1].lower()}{message[1:]}") from None
    other = copy.copy(algorithm)
    other.params = changed
    return other


def _axis(text: str) -> tuple[str, str, list[Any]]:
    key, equals, values = text.partition("=")
    model, _, rest = key.strip().removeprefix("models.").partition(".")
    if not equals or not rest or not values.strip():
        raise ConfigurationError(f"--grid {text}: must have the form model.key=value,value,...")
    try:
        return model, rest, list(tomllib.loads(f"values = [{values}]")["values"])
    except tomllib.TOMLDecodeError:
        return model, rest, [value.strip() for value in values.split(",")]


def with_fold(interactions: DataFrame, users: DataFrame, items: DataFrame, settings: CompareSettings) -> DataFrame:
    """The interactions with the fold that each row is held out in; -1: in none.

    `hash`: by a hash of the external ids, so that a row stays in its fold whatever else is in the data.
    `leave_one_out`: of every user one row a fold, in the order of that hash, while one is left to train on.
    `split`: one fold, the rows of the split "test": the published ones, where the source has some.

    Parameters
    ----------
    interactions : grain user x item; columns user_idx, item_idx, rating, split
    users, items : columns <index>, <external id>

    Returns
    -------
    grain user x item; columns user_idx int, item_idx int, rating float, fold int
    """
    columns = ["user_idx", "item_idx", "rating"]
    if settings.strategy == "split":
        fold = F.when(F.col("split") == "test", F.lit(0)).otherwise(F.lit(-1))
        return interactions.select(*columns, fold.cast("int").alias("fold"))
    named = interactions.join(users.select("user_idx", "user_id"), "user_idx").join(
        items.select("item_idx", "item_id"), "item_idx"
    )
    place = F.xxhash64("user_id", "item_id", F.lit(settings.seed).cast("bigint"))
    if settings.strategy == "hash":
        return named.select(*columns, F.pmod(place, F.lit(settings.folds)).cast("int").alias("fold"))
    return named.select(*columns, _one_of_each_user(place, settings.folds).alias("fold"))


def _one_of_each_user(place: Column, folds: int) -> Column:
    of_user = Window.partitionBy("user_idx")
    nth = F.row_number().over(of_user.orderBy(place, "item_id"))
    held_out = F.least(F.lit(folds), F.count(F.lit(1)).over(of_user) - 1)
    return F.when(nth <= held_out, nth - 1).otherwise(F.lit(-1)).cast("int")


def lower_is_better(metric: str) -> bool:
    """Whether it measures errors."""
    return metric in ("rmse", "mae", "cold_rows")


class Standing(NamedTuple):
    """A candidate's figures over the folds.

    mean, std : of the metric; std with folds - 1, 0 with one fold
    behind : mean of the paired difference to the best, >= 0 where it is worse
    error : standard error of `behind`; NaN with one fold
    """

    label: str
    mean: float
    std: float
    behind: float
    error: float
    fit_seconds: float
    predict_seconds: float
    peak_bytes: float


def standings(results: pd.DataFrame, metric: str) -> list[Standing]:
    """The candidates by a metric, the best first; those without it are left out.

    Parameters
    ----------
    results : grain fold x candidate x metric; columns fold, candidate, metric, value, fit_seconds, predict_seconds,
        peak_bytes
    """
    rows = results[(results.metric == metric) & results.value.notna()]
    if rows.empty:
        return []
    values = rows.pivot_table(index="fold", columns="candidate", values="value")
    lowest = lower_is_better(metric)
    means = values.mean().sort_values(ascending=lowest, kind="stable")
    best = values[means.index[0]]
    costs = rows.groupby("candidate")[["fit_seconds", "predict_seconds", "peak_bytes"]].mean()
    found = []
    for label in means.index:
        differences = ((values[label] - best) * (1 if lowest else -1)).dropna()
        many = len(differences) > 1
        found.append(
            Standing(
                str(label),
                float(means[label]),
                float(values[label].std()) if many else 0.0,
                float(differences.mean()),
                float(differences.std() / np.sqrt(len(differences))) if many else float("nan"),
                *(float(cost) for cost in costs.loc[label]),
            )
        )
    return found
