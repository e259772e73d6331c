"""What a person sets of a neural model: the network and its training, as one table of the configuration."""

from __future__ import annotations

from typing import Generic, TypeVar

from nightreel.neural.networks.params import NetworkParams, params_type
from nightreel.neural.training.recipe import Recipe
from nightreel.settings.sections import Section

ParamsT = TypeVar("ParamsT", bound=NetworkParams)


class Hyperparameters(Section, Generic[ParamsT]):
    """[models.<name>.network] and [models.<name>.training]."""

    network: ParamsT
    training: Recipe


def hyperparameters_type(name: str) -> type[Hyperparameters[NetworkParams]]:
    """The table's type for a network; raises ConfigurationError for a name that no network has."""
    return Hyperparameters[params_type(name)]  # type: ignore[misc,return-value]
