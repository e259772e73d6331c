"""All that a rank needs to know to train, as JSON; importable without torch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, Self, TypeVar
from urllib.parse import unquote

from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs
from pydantic import Field, Strict, ValidationError, model_validator

from nightreel.errors import ConfigurationError
from nightreel.neural.networks.params import Domain, NetworkParams, checked, params_type
from nightreel.settings import read_layers
from nightreel.settings.sections import DefaultsFrom, Section, Seed
from nightreel.settings.sections import Recipe as Recipe

ParamsT = TypeVar("ParamsT", bound=NetworkParams)


class Hyperparameters(Section, Generic[ParamsT]):
    """[models.<name>.network] and [models.<name>.training]."""

    network: ParamsT
    training: Annotated[Recipe, DefaultsFrom("training")]


def hyperparameters_type(name: str) -> type[Hyperparameters[NetworkParams]]:
    """The table's type for a network; raises ConfigurationError for a name that no network has."""
    return Hyperparameters[params_type(name)]  # type: ignore[misc,return-value]


def hyperparameters(name: str, overrides: Sequence[str] = ()) -> Hyperparameters[NetworkParams]:
    """Of one network.

    Parameters
    ----------
    overrides : such as training.epochs=3 or network.dropout=0.1; later ones win

    Raises
    ------
    ConfigurationError : no such network; an override that is unknown, of a wrong type or out of range
    """
    params_type(name)
    prefix = f"models.{name}"
    layers = read_layers("local", [f"{prefix}.{override}" for override in overrides])
    return layers.parse(hyperparameters_type(name), prefix=prefix)


Files = Annotated[tuple[str, ...], Strict(False)]
"""Absolute paths, or URIs with special characters escaped, as Spark's inputFiles gives them."""
_URI = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+:/")


def locate(file: str) -> tuple[AbstractFileSystem, str]:
    """The filesystem that opens one of `Files`, and the file's path in it.

    Raises
    ------
    ImportError, ValueError : no filesystem for this kind of URI
    """
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

    def network_params(self) -> NetworkParams:
        """`params`, typed; raises ConfigurationError for those that the network does not have."""
        return checked(self.network, self.params)


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
