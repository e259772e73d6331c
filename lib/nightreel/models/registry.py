"""Every algorithm by its name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nightreel.errors import ConfigurationError
from nightreel.models.classical.als import Als, AlsImplicit
from nightreel.models.classical.biases import Baseline, ItemMean, MeanOfMeans, Popular, UserMean, WeightedMean
from nightreel.models.classical.item_weights import Ease, ItemCosine
from nightreel.models.contract import Algorithm
from nightreel.models.neural import NeuralAlgorithm
from nightreel.neural.spec import PARAMS, hyperparameters_type
from nightreel.settings import Settings
from nightreel.settings.sections import Section

_CLASSICAL: Mapping[str, type[Algorithm[Any]]] = {
    algorithm.name: algorithm
    for algorithm in (
        UserMean,
        ItemMean,
        MeanOfMeans,
        WeightedMean,
        Baseline,
        Popular,
        Als,
        AlsImplicit,
        Ease,
        ItemCosine,
    )
}
HYPERPARAMETERS: Mapping[str, type[Section]] = {
    **{name: algorithm.params_type for name, algorithm in _CLASSICAL.items()},
    **{name: hyperparameters_type(name) for name in PARAMS},
}
"""By every model's name, simplest first, the type of its hyperparameters, [models.<name>] of the configuration."""


def create(name: str, settings: Settings) -> Algorithm[Any]:
    """The algorithm with its hyperparameters of settings that were loaded with HYPERPARAMETERS.

    Raises
    ------
    ConfigurationError : no such algorithm
    """
    if name not in HYPERPARAMETERS:
        raise ConfigurationError(f"model {name}: unknown; known: {', '.join(HYPERPARAMETERS)}")
    params: Any = settings.models[name]
    return _CLASSICAL[name](params) if name in _CLASSICAL else NeuralAlgorithm(name, params)


def check(wanted: Iterable[str], settings: Settings) -> None:
    """Raise ConfigurationError for an unknown algorithm, or one that this installation cannot train."""
    for name in wanted:
        create(name, settings).check()
