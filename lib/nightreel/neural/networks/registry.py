"""Every network by its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from nightreel.errors import DataError
from nightreel.neural.networks.deep import Deep
from nightreel.neural.networks.domain import Domain
from nightreel.neural.networks.hybrid import Hybrid
from nightreel.neural.networks.item_text import ItemText
from nightreel.neural.networks.mf import Mf
from nightreel.neural.networks.mf_bias import MfBias
from nightreel.neural.networks.ncf import Ncf
from nightreel.neural.networks.network import Network
from nightreel.neural.networks.neumf import Neumf
from nightreel.neural.networks.params import NetworkParams, params_type

_OF_INDICES: dict[str, Callable[[Any, Domain], Network[Any]]] = {
    network.name: network for network in (Mf, MfBias, Deep, Ncf, Neumf)
}
_OF_TEXT: dict[str, Callable[[Any, Domain, ItemText], Network[Any]]] = {Hybrid.name: Hybrid}


def names() -> tuple[str, ...]:
    """Every network, simplest first."""
    return (*_OF_INDICES, *_OF_TEXT)


def wants_text(name: str) -> bool:
    """Whether `build` needs the items' text."""
    return name in _OF_TEXT


def build(name: str, params: NetworkParams, domain: Domain, *, seed: int, text: ItemText | None = None) -> Network[Any]:
    """The network before training; the same arguments draw the same weights, and torch's own generator stays as it is.

    Parameters
    ----------
    text : needed where `wants_text`, else ignored

    Raises
    ------
    ConfigurationError : no such network
    DataError : no text for a network that wants it
    """
    params_type(name)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        if name in _OF_INDICES:
            return _OF_INDICES[name](params, domain)
        if text is None:
            raise DataError(f"network {name}: needs the items' text (item_idx, terms, weights), and none was given")
        return _OF_TEXT[name](params, domain, text)
