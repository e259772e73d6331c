"""Hyperparameters of the networks by name, and the domain they score; importable without torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

from pydantic import Field, Strict, ValidationError, model_validator

from nightreel.errors import ConfigurationError
from nightreel.settings.sections import PositiveInt, Section, Share

Spread = Annotated[float, Field(gt=0.0)]
"""Standard deviation of the normal distribution that embeddings are drawn from at first."""
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
    """What every network has."""

    init_std: Spread


class MfParams(NetworkParams):
    """Hyperparameters of `mf` and `mf_bias`."""

    rank: PositiveInt


class DeepParams(NetworkParams):
    """Hyperparameters of `deep`."""

    user_embedding: PositiveInt
    item_embedding: PositiveInt
    hidden: Widths
    dropout: Share


class NcfParams(NetworkParams):
    """Hyperparameters of `ncf`."""

    embedding: PositiveInt
    hidden: Widths
    dropout: Share


class NeumfParams(NetworkParams):
    """Hyperparameters of `neumf`."""

    gmf_embedding: PositiveInt
    mlp_embedding: PositiveInt
    hidden: Widths
    dropout: Share
    mode: Literal["rating", "implicit"]
    """Predict ratings, or separate items rated at least min_rating from sampled unseen ones."""
    negatives: PositiveInt
    """Unseen items drawn for each positive, in the implicit mode."""
    min_rating: float
    """What counts as a positive, in the implicit mode."""


class HybridParams(NetworkParams):
    """Hyperparameters of `hybrid`."""

    user_embedding: PositiveInt
    item_embedding: PositiveInt
    text_hidden: PositiveInt
    text_embedding: PositiveInt
    hidden: Widths
    dropout: Share


PARAMS: Mapping[str, type[NetworkParams]] = MappingProxyType(
    {
        "mf": MfParams,
        "mf_bias": MfParams,
        "deep": DeepParams,
        "ncf": NcfParams,
        "neumf": NeumfParams,
        "hybrid": HybridParams,
    }
)
"""The type of each network's hyperparameters, simplest network first."""


def params_type(name: str) -> type[NetworkParams]:
    """Raises ConfigurationError for a name that no network has."""
    if name not in PARAMS:
        raise ConfigurationError(f"network {name}: unknown; known: {', '.join(PARAMS)}")
    return PARAMS[name]


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
