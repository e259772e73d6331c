"""The algorithms by name, the contract they share, and the forms a trained model can take."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nightreel.models.contract import Algorithm as Algorithm
    from nightreel.models.contract import Capability as Capability
    from nightreel.models.contract import EpochMetric as EpochMetric
    from nightreel.models.contract import TrainedModel as TrainedModel
    from nightreel.models.contract import TrainingContext as TrainingContext
    from nightreel.models.forms.factors import FactorModel as FactorModel
    from nightreel.models.forms.neighbours import NeighbourModel as NeighbourModel
    from nightreel.models.forms.network import NetworkModel as NetworkModel
    from nightreel.models.registry import HYPERPARAMETERS as HYPERPARAMETERS
    from nightreel.models.registry import check as check
    from nightreel.models.registry import create as create
    from nightreel.models.registry import members as members

_MODULES = {
    "contract": ("Algorithm", "Capability", "EpochMetric", "TrainedModel", "TrainingContext"),
    "forms.factors": ("FactorModel",),
    "forms.neighbours": ("NeighbourModel",),
    "forms.network": ("NetworkModel",),
    "registry": ("HYPERPARAMETERS", "check", "create", "members"),
}


def __getattr__(name: str) -> Any:
    """Load a name's module when it is asked for: whoever answers from the tables needs no Spark."""
    for module, names in _MODULES.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__} has no attribute {name}")
