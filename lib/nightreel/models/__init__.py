"""The algorithms, one a file, the contract they share, and the forms a trained model can take."""

from nightreel.models.contract import Algorithm, Capability, TrainedModel
from nightreel.models.factors import FactorModel
from nightreel.models.registry import check, create, names

__all__ = ["Algorithm", "Capability", "FactorModel", "TrainedModel", "check", "create", "names"]
