"""The networks' hyperparameters as conf/models.toml has them, under those that a person sets."""

from __future__ import annotations

from collections.abc import Sequence

from nightreel.neural.networks.params import NetworkParams, params_type
from nightreel.neural.training.hyperparameters import Hyperparameters, hyperparameters_type
from nightreel.settings import read_layers


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
