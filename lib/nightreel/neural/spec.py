"""All that a rank needs to know to train, as JSON, and the networks' hyperparameters; importable without torch."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, Self, TypeVar
from urllib.parse import unquote

from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs
from pydantic import Field, Strict, ValidationError, model_validator

from nightreel.errors import ConfigurationError
from nightreel.settings import read_layers
from nightreel.settings.layers import known
from nightreel.settings.sections import DefaultsFrom, PositiveInt, Section, Seed, Share
from nightreel.settings.sections import Recipe as Recipe

Widths = Annotated[tuple[PositiveInt, ...], Strict(False), Field(min_length=1)]
"""Units of the hidden layers, first to last."""


class Domain(Section):
    """Users 0 .. users - 1, items 0 .. items - 1, and the ratings between them."""

    users: PositiveInt
    items: PositiveInt
    lowest: float
    """The rating scale; predictions are clipped to it when they are used, never while training."""
    highest: float
    mean: float
    """Mean training rating: where a network's output starts from."""

    @model_validator(mode="after")
    def ordered(self) -> Self:
        if self.lowest >= self.highest:
            raise ValueError("lowest must be below highest")
        if not self.lowest <= self.mean <= self.highest:
            raise ValueError("mean must lie between lowest and highest")
        return self


class NetworkParams(Section):
    init_std: Annotated[float, Field(gt=0.0)]
    """Standard deviation of the normal distribution that embeddings are drawn from at first."""


class MfParams(NetworkParams):
    rank: PositiveInt


class TowerParams(NetworkParams):
    hidden: Widths
    dropout: Share


class DeepParams(TowerParams):
    user_embedding: PositiveInt
    item_embedding: PositiveInt


class NcfParams(TowerParams):
    embedding: PositiveInt


class NeumfParams(TowerParams):
    gmf_embedding: PositiveInt
    mlp_embedding: PositiveInt
    mode: Literal["rating", "implicit"]
    """Predict ratings, or separate items rated at least min_rating from sampled unseen ones."""
    negatives: PositiveInt
    """Unseen items drawn for each positive, in the implicit mode."""
    min_rating: float
    """What counts as a positive, in the implicit mode."""


class HybridParams(DeepParams):
    text_hidden: PositiveInt
    text_embedding: PositiveInt


PARAMS: Mapping[str, type[NetworkParams]] = {
    "mf": MfParams,
    "mf_bias": MfParams,
    "deep": DeepParams,
    "ncf": NcfParams,
    "neumf": NeumfParams,
    "hybrid": HybridParams,
}
"""The type of each network's hyperparameters, simplest network first."""


def params_type(name: str) -> type[NetworkParams]:
    """Raises ConfigurationError for a name that no network has."""
    if name not in PARAMS:
        raise ConfigurationError(f"network {name}: unknown; {known(name, PARAMS)}")
    return PARAMS[name]


def needs_text(name: str) -> bool:
    """Whether a network reads the items' text."""
    return params_type(name) is HybridParams


def checked(name: str, values: Mapping[str, Any]) -> NetworkParams:
    """Hyperparameters from JSON types.

    Raises
    ------
    ConfigurationError : no such network; a hyperparameter is unknown, missing, of a wrong type or out of range
    """
    try:
        return params_type(name).model_validate_json(json.dumps(dict(values)))
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(str(part) for part in fault["loc"])
        raise ConfigurationError(f"network {name}: {where}: {fault['msg'][:1].lower()}{fault['msg'][1:]}") from None


ParamsT = TypeVar("ParamsT", bound=NetworkParams)


class Hyperparameters(Section, Generic[ParamsT]):
    """[models.<name>.network] and [models.<name>.training]."""

    network: ParamsT
    training: Annotated[Recipe, DefaultsFrom("training")]


def hyperparameters_type(name: str) -> type[Hyperparameters[NetworkParams]]:
    """The type of [models.<name>]; raises ConfigurationError for a name that no network has."""
    return Hyperparameters[params_type(name)]  # type: ignore[misc,return-value]


def hyperparameters(name: str, overrides: Sequence[str] = ()) -> Hyperparameters[NetworkParams]:
    """Of one network, from the configuration.

    Parameters
    ----------
    overrides : such as training.epochs=3 or network.dropout=0.1; later ones win

    Raises
    ------
    ConfigurationError : no such network; an override that is unknown, of a wrong type or out of range
    """
    table, prefix = hyperparameters_type(name), f"models.{name}"
    return read_layers("local", [f"{prefix}.{override}" for override in overrides]).parse(table, prefix=prefix)


Files = Annotated[tuple[str, ...], Strict(False)]
"""Absolute paths, or URIs with special characters escaped, as Spark's inputFiles gives them."""
_URI = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+:/")


def locate(file: str) -> tuple[AbstractFileSystem, str]:
    """What opens one of `Files`, and its path there; raises ImportError or ValueError for an unknown kind of URI."""
    filesystem, path = url_to_fs(unquote(file) if _URI.match(file) else file)
    return filesystem, path


class TrainingSpec(Section):
    """One training, the same on every rank."""

    network: str
    params: dict[str, Any]
    """The network's hyperparameters, as JSON types."""
    domain: Domain
    recipe: Recipe
    train: Annotated[Files, Field(min_length=1)]
    """Parquet with columns user_idx int32, item_idx int32, rating float32."""
    validation: Files
    """Likewise; none: all epochs are trained and the last one is kept."""
    item_text: Files
    """Parquet with columns item_idx int, terms list<int>, weights list<float>; only for a network of text."""
    feed: Literal["auto", "stream", "resident"]
    device: Literal["auto", "cpu", "cuda"]
    """`auto` takes a GPU where there is one."""
    precision: Literal["fp32", "bf16"]
    """bf16: matrix products in bfloat16, weights and optimiser in float32. It pays on a GPU."""
    seed: Seed
    folder: str
    """Of the run: checkpoints and the trained network. All ranks must see it."""
    resume: bool
    """Go on from the last checkpoint in the folder, if there is one."""

    @model_validator(mode="after")
    def plateau_has_validation(self) -> Self:
        if self.recipe.schedule == "plateau" and not self.validation:
            raise ValueError('recipe.schedule = "plateau" needs validation files')
        return self


def read_spec(file: Path) -> TrainingSpec:
    """The specification in a JSON file; raises ConfigurationError, in one line, where it is none."""
    try:
        return TrainingSpec.model_validate_json(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: cannot be read: {error}") from error
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(str(part) for part in fault["loc"])
        raise ConfigurationError(f"{file}: {where or 'the specification'}: {fault['msg']}") from None
