"""What every network is: two tables of embeddings, and a score made of a row of each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Generic, TypeVar

from torch import Tensor, nn

from nightreel.neural.networks.domain import Domain
from nightreel.neural.networks.params import NetworkParams

ParamsT = TypeVar("ParamsT", bound=NetworkParams)


class Network(nn.Module, ABC, Generic[ParamsT]):
    """A network scores pairs of user_idx and item_idx.

    All that it learns for single users and items stands in the two tables `users` and `items`. Their gradients are
    sparse: a step reads, exchanges and writes the rows of its batch only, however long the tables are.

    Parameters
    ----------
    params : hyperparameters
    domain : users, items, scale and mean rating
    widths : columns of the user table and of the item table
    """

    name: ClassVar[str]

    def __init__(self, params: ParamsT, domain: Domain, *, widths: tuple[int, int]) -> None:
        super().__init__()
        self.params = params
        self.domain = domain
        self.users = _table(domain.users, widths[0], params.init_std)
        self.items = _table(domain.items, widths[1], params.init_std)

    @property
    def implicit(self) -> bool:
        """Whether scores are logits of preference instead of ratings."""
        return False

    @abstractmethod
    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """Scores of pairs, in rating units and not clipped to the scale, or logits where `implicit`.

        Parameters
        ----------
        users : (n,) int64
        items : (n,) int64

        Returns
        -------
        (n,) float32
        """

    def tables(self) -> tuple[Tensor, Tensor]:
        """The weights with sparse gradients: (users, width) and (items, width)."""
        return self.users.weight, self.items.weight


def _table(rows: int, width: int, std: float) -> nn.Embedding:
    table = nn.Embedding(rows, width, sparse=True)
    nn.init.normal_(table.weight, std=std)
    return table
