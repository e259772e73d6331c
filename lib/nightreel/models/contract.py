"""What every algorithm and every trained model offers, whatever its form."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Generic, NamedTuple, TypeVar

from nightreel.errors import CapabilityError
from nightreel.settings.sections import NeuralSettings, ScaleSettings, Section

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

ParamsT = TypeVar("ParamsT", bound=Section)


class Capability(StrEnum):
    """A question a trained model may be unable to answer."""

    PREDICT = "predict"
    RECOMMEND = "recommend"
    SIMILAR = "similar"


class TrainedModel(ABC):
    """A model after training, in one of the forms; it answers for users and items by their dense indices."""

    form: ClassVar[str]
    algorithm: str
    capabilities: frozenset[Capability]

    @property
    def tells_uncertainty(self) -> bool:
        """Whether `predict` has a column uncertainty."""
        return False

    @abstractmethod
    def predict(self, pairs: DataFrame) -> DataFrame:
        """Ratings for pairs.

        Parameters
        ----------
        pairs : grain as given; columns user_idx int, item_idx int (null or unknown indices allowed) and any others

        Returns
        -------
        the pairs' columns, then prediction float in rating units, unclipped, never null, and cold boolean: the
        user or the item was unknown, and the prediction is the item's mean, else the user's, else the global mean.
        Of models that know it then uncertainty float, the standard deviation of a rating around the prediction

        Raises
        ------
        CapabilityError : the model scores preference, not ratings
        """

    @abstractmethod
    def recommend(self, users: DataFrame, *, n: int, seen: DataFrame) -> DataFrame:
        """The n best items of each user, without those in `seen`; equal scores in the order of item_idx.

        Parameters
        ----------
        users : grain user; column user_idx int. One the model does not know is ranked for as the average user, by
        neighbours as one who likes what most like
        seen : grain user x item; columns user_idx, item_idx

        Returns
        -------
        grain user x rank; columns user_idx int, rank int (from 1), item_idx int, score float. Fewer than n rows
        for a user with fewer than n items left

        Raises
        ------
        CapabilityError : the model does not order items
        """

    @abstractmethod
    def similar(self, *, n: int) -> DataFrame:
        """The n items most similar to each item, itself excluded.

        Returns
        -------
        grain item x rank; columns item_idx int, rank int (from 1), similar_item_idx int, similarity float

        Raises
        ------
        CapabilityError : the model holds nothing that items could be compared by
        """

    def with_users(self, ratings: DataFrame) -> TrainedModel:
        """The model for other users in place of its own, which follow from their ratings alone (fold-in).

        Parameters
        ----------
        ratings : grain user x item; columns user_idx int, of any numbering, item_idx int, rating float

        Raises
        ------
        CapabilityError : the model has no way to add users
        """
        raise self.cannot_add_users()

    def cannot_add_users(self) -> CapabilityError:
        return CapabilityError(f"model {self.algorithm} cannot take users that it was not trained on")

    def require(self, capability: Capability) -> None:
        """Raise CapabilityError, in one line, unless the model has the capability."""
        if capability not in self.capabilities:
            raise self.cannot(capability)

    def cannot(self, capability: Capability) -> CapabilityError:
        """The error for a capability that the model lacks."""
        able = ", ".join(sorted(self.capabilities))
        return CapabilityError(f"model {self.algorithm} cannot {capability}; it can: {able}")


@dataclass(frozen=True)
class TrainingContext:
    """What a training may use in addition to its rows.

    folder : of the run, for checkpoints and weights: a path that the driver and all executors reach, or empty
    scale : of the ratings
    launch : where neural models are trained
    validation : grain user x item; columns user_idx, item_idx, rating: for early stopping; None where there is none
    item_text : grain item; columns item_idx int, terms array<int>, weights array<float>; None where there is none
    files : by "train", "validation" and "item_text", Parquet files that hold exactly the rows of that frame, which the
        caller must guarantee; a DataFrame cannot tell
    resume : go on from a checkpoint in the folder
    keep_history : called with the metrics of every epoch
    trained : the model of that name, trained on the same rows, for blends; raises where there is none
    earlier : a model of the same algorithm from an earlier night with the same indices, to go on from
    """

    folder: str
    scale: ScaleSettings
    launch: NeuralSettings
    validation: DataFrame | None = None
    item_text: DataFrame | None = None
    files: Mapping[str, Sequence[str]] = field(default_factory=dict)
    resume: bool = False
    keep_history: Callable[[Sequence[EpochMetric]], None] = lambda _: None
    trained: Callable[[str], TrainedModel] | None = None
    earlier: TrainedModel | None = None


class EpochMetric(NamedTuple):
    """A metric of one epoch of training; rows: what it was measured on."""

    split: str
    metric: str
    value: float
    rows: int


class Algorithm(ABC, Generic[ParamsT]):
    """A way to train: a name, typed hyperparameters, and `fit`."""

    name: str
    params_type: type[ParamsT]
    goes_on: ClassVar[bool] = False
    """Whether `fit` makes use of an earlier model (TrainingContext.earlier)."""

    def __init__(self, params: ParamsT) -> None:
        self.params = params

    def check(self) -> None:
        """Raise ConfigurationError where this installation lacks what the algorithm needs."""

    def check_size(self, *, users: int, items: int, ratings: int) -> None:
        """Raise DataError where the training would need more memory than a task should have."""

    @abstractmethod
    def fit(self, interactions: DataFrame, *, seed: int, context: TrainingContext | None = None) -> TrainedModel:
        """Train on ratings.

        Parameters
        ----------
        interactions : grain user x item; columns user_idx int, item_idx int, rating float
        seed : the same seed and rows give the same model; of networks, rows in the same files
        context : only networks need one
        """
