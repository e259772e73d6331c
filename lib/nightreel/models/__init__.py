"""The algorithms by name, the contract they share, and the forms a trained model can take."""

from nightreel.models.contract import Algorithm, Capability, EpochMetric, TrainedModel, TrainingContext
from nightreel.models.forms.factors import FactorModel
from nightreel.models.forms.network import NetworkModel
from nightreel.models.registry import HYPERPARAMETERS, check, create

__all__ = [
    "HYPERPARAMETERS",
    "Algorithm",
    "Capability",
    "EpochMetric",
    "FactorModel",
    "NetworkModel",
    "TrainedModel",
    "TrainingContext",
    "check",
    "create",
]
