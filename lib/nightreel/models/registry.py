"""Every algorithm by its name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nightreel.errors import ConfigurationError
from nightreel.models.classical.als import Als
from nightreel.models.classical.als_implicit import AlsImplicit
from nightreel.models.classical.baseline import Baseline
from nightreel.models.classical.means import ItemMean, MeanOfMeans, Popular, UserMean, WeightedMean
from nightreel.models.contract import Algorithm
from nightreel.models.neural import Deep, Hybrid, Mf, MfBias, Ncf, Neumf
from nightreel.settings import Layers

_ALGORITHMS: dict[str, type[Algorithm[Any]]] = {
    algorithm.name: algorithm
    for algorithm in (
        *(UserMean, ItemMean, MeanOfMeans, WeightedMean, Baseline, Popular, Als, AlsImplicit),
        *(Mf, MfBias, Deep, Ncf, Neumf, Hybrid),
    )
}


def names() -> tuple[str, ...]:
    """Every registered algorithm, simplest first."""
    return tuple(_ALGORITHMS)


def create(name: str, layers: Layers) -> Algorithm[Any]:
    """The algorithm with the hyperparameters of [models.<name>].

    Raises
    ------
    ConfigurationError : no such algorithm, or a hyperparameter that is unknown, missing or out of range
    """
    if name not in _ALGORITHMS:
        raise ConfigurationError(f"model {name}: unknown; known: {', '.join(names())}")
    algorithm = _ALGORITHMS[name]
    return algorithm(layers.parse(algorithm.params_type, prefix=f"models.{name}"))


def check(wanted: Iterable[str], layers: Layers) -> None:
    """Raise ConfigurationError for what `create` would refuse, or for hyperparameters of an unknown algorithm."""
    for name in layers.values.get("models", {}):
        if name not in _ALGORITHMS:
            key = f"models.{name}"
            raise ConfigurationError(
                f"[{key}] ({layers.origins.get(key, 'the configuration')}): unknown model; known: {', '.join(names())}"
            )
    for name in wanted:
        create(name, layers).check()
