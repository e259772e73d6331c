"""Networks that end in the factors form: mean + user bias + item bias + user vector . item vector."""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple

from torch import Tensor

from nightreel.neural.networks.network import Network
from nightreel.neural.networks.params import MfParams


class Factors(NamedTuple):
    """score = mean + user_bias[u] + item_bias[i] + user_vectors[u] . item_vectors[i].

    mean : of the score
    user_bias : (users,) float32
    user_vectors : (users, rank) float32
    item_bias : (items,) float32
    item_vectors : (items, rank) float32
    """

    mean: float
    user_bias: Tensor
    user_vectors: Tensor
    item_bias: Tensor
    item_vectors: Tensor


class FactorNetwork(Network[MfParams]):
    """A network whose score is an inner product, so that the factors form's top-N, similar and fold-in serve it."""

    @abstractmethod
    def factors(self) -> Factors:
        """What the network has learnt, sharing memory with its tables and without gradients."""


def inner(left: Tensor, right: Tensor) -> Tensor:
    """(n, rank), (n, rank) -> (n,)"""
    return (left * right).sum(dim=1)
