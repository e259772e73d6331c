"""The algorithms by name, the contract they share, and the forms a trained model can take."""

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
