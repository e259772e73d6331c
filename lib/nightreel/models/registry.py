"""Every algorithm by its name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nightreel.errors import ConfigurationError
from nightreel.models.classical.als import Als, AlsBlock, AlsImplicit
from nightreel.models.classical.bayes import BayesMf
from nightreel.models.classical.biases import Baseline, ItemMean, MeanOfMeans, Popular, UserMean, WeightedMean
from nightreel.models.classical.blend import Blend, BlendAlgorithm, BlendLists
from nightreel.models.classical.closed_forms import CoClustering, Random, Svd
from nightreel.models.classical.factorisations import BaselineSgd, FunkSvd, Nmf, SvdPp
from nightreel.models.classical.item_weights import Ease, ItemCosine
from nightreel.models.classical.neighbours import ItemKnn, SlopeOne, UserKnn
from nightreel.models.classical.rankers import Bpr, Content, UserCosine, Warp
from nightreel.models.contract import Algorithm
from nightreel.models.neural import NeuralAlgorithm
from nightreel.neural.spec import PARAMS, hyperparameters_type
from nightreel.settings import Settings
from nightreel.settings.layers import known
from nightreel.settings.sections import Section

_CLASSICAL: Mapping[str, type[Algorithm[Any]]] = {
    algorithm.name: algorithm
    for algorithm in (
        *(Random, UserMean, ItemMean, MeanOfMeans, WeightedMean, Baseline, BaselineSgd, Popular),
        *(
            Svd,
            FunkSvd,
            SvdPp,
            Nmf,
            CoClustering,
            UserKnn,
            ItemKnn,
            SlopeOne,
            Als,
            AlsBlock,
            AlsImplicit,
            BayesMf,
            Ease,
            ItemCosine,
            UserCosine,
            Content,
            Bpr,
            Warp,
        ),
    )
}
_BLENDS: Mapping[str, type[Algorithm[Any]]] = {algorithm.name: algorithm for algorithm in (Blend, BlendLists)}
HYPERPARAMETERS: Mapping[str, type[Section]] = {
    **{name: algorithm.params_type for name, algorithm in _CLASSICAL.items()},
    **{name: hyperparameters_type(name) for name in PARAMS},
    **{name: algorithm.params_type for name, algorithm in _BLENDS.items()},
}
"""By every model's name, simplest first, the type of its hyperparameters, [models.<name>] of the configuration."""


def create(name: str, settings: Settings) -> Algorithm[Any]:
    """The algorithm with its hyperparameters of settings that were loaded with HYPERPARAMETERS.

    Raises
    ------
    ConfigurationError : no such algorithm
    """
    if name not in HYPERPARAMETERS:
        raise ConfigurationError(f"model {name}: unknown; {known(name, HYPERPARAMETERS)}")
    params: Any = settings.models[name]
    algorithms = {**_CLASSICAL, **_BLENDS}
    return algorithms[name](params) if name in algorithms else NeuralAlgorithm(name, params)


def members(name: str, settings: Settings) -> Sequence[str]:
    """The models that a blend puts together; of any other model, none.

    Raises
    ------
    ConfigurationError : no such algorithm, or a member that is none or is itself a blend
    """
    algorithm = create(name, settings)
    named = algorithm.members() if isinstance(algorithm, BlendAlgorithm) else ()
    for member in named:
        if member in _BLENDS:
            raise ConfigurationError(f"model {name}: its member {member} is a blend itself")
        create(member, settings)
    return named


def check(wanted: Iterable[str], settings: Settings) -> None:
    """Raise ConfigurationError for an unknown algorithm, or one that this installation cannot train."""
    for name in wanted:
        create(name, settings).check()
        for member in members(name, settings):
            create(member, settings).check()
