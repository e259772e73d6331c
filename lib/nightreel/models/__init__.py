"""The algorithms, one a file, the contract they share, and the forms a trained model can take."""

from nightreel.models.contract import Algorithm, Capability, EpochMetric, Surroundings, TrainedModel
from nightreel.models.forms.factors import FactorModel
from nightreel.models.forms.network import NetworkModel
from nightreel.models.registry import HYPERPARAMETERS, check, create, names

__all__ = [
    "HYPERPARAMETERS",
    "Algorithm",
    "Capability",
    "EpochMetric",
    "FactorModel",
    "NetworkModel",
    "Surroundings",
    "TrainedModel",
    "check",
    "create",
    "names",
]
