"""The networks' hyperparameters as shipped, under those that a person sets."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from nightreel.neural.networks.params import NetworkParams, params_type
from nightreel.neural.training.hyperparameters import Hyperparameters, hyperparameters_type
from nightreel.settings import Layers, read_layers


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
    shipped = tomllib.loads(resources.files(__package__).joinpath("defaults.toml").read_text(encoding="utf-8"))
    return Layers(_over(shipped, layers.values), layers.origins).parse(hyperparameters_type(name), prefix=prefix)


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        nested = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _over(merged[key], value) if nested else value
    return merged
