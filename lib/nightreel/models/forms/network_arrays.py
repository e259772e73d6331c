"""Networks in memory: scores in batches, tiles of users x items, and users that are added to a trained network."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
import pyarrow as pa

from nightreel.errors import DataError
from nightreel.models.contract import Capability
from nightreel.models.engine.catalogue import Catalogue, Floats, Ints, Ranked, Users, factor_matrix, float_lists
from nightreel.models.forms.arrays import (
    ArrayModel,
    Explanation,
    Lists,
    Predicted,
    Ratings,
    Side,
    is_known,
    with_fallback,
    within,
)

if TYPE_CHECKING:
    from torch import Tensor

    from nightreel.neural.networks.tower_networks import TowerNetwork

_NETWORKS_HELD = 2
_PAIRS_AT_ONCE = 1 << 16
_TILE_BYTES = 32 << 20
"""Of a layer's output for a tile of users x items; layers in a row hold twice that."""

_STEPS, _RATE = 200, 0.05
"""Of Adam, for the vectors of users that are added."""
_ABLATED = 50
"""Ratings that an explanation leaves out, one at a time."""


class Weights(NamedTuple):
    """A trained network's folder, and the digest of its weights: another training in the same folder is another."""

    folder: str
    digest: str


def digest_of(folder: str) -> str:
    from nightreel.neural.networks.storage import WEIGHTS

    try:
        with (Path(folder) / WEIGHTS).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]
    except OSError as error:
        raise DataError(f"{folder}: the network's weights cannot be read: {error.strerror}; train it again") from error


def scores_of_pairs(weights: Weights, users: pa.Array, items: pa.Array) -> pa.Array:
    """Scores of pairs; null where either is null.

    Parameters
    ----------
    users : (n,) int32 indices, or of users that were added their rows of the user table, (n,) lists
    items : (n,) int32
    """
    import torch

    both = users.is_valid().to_numpy(zero_copy_only=False) & items.is_valid().to_numpy(zero_copy_only=False)
    scores = np.zeros(len(both), np.float32)
    if both.any():
        network, user_idx = _asked(weights, users.filter(pa.array(both)))
        asked = (user_idx, _tensor(items.filter(pa.array(both))))
        with torch.inference_mode():
            parts = [network(*parts) for parts in zip(*(side.split(_PAIRS_AT_ONCE) for side in asked), strict=True)]
        scores[both] = torch.cat(parts).numpy()
    return pa.array(scores, mask=~both)


def users_of(weights: Weights, rows: pa.Table, seen: Ints, seen_counts: Ints) -> Users:
    """The users' part of the first layer; of unknown ones the average user's.

    Parameters
    ----------
    rows : columns user_idx int, known boolean, and of users that were added factors, their rows of the user table
    """
    import torch

    network = _network(weights)
    known, average = rows.column("known").is_valid().to_numpy(), network.domain.users
    with torch.inference_mode():
        parts = network.user_tower(torch.full((len(known),), average))
        if known.any():
            column = rows.column("factors" if "factors" in rows.column_names else "user_idx")
            asked, user_idx = _asked(weights, column.filter(pa.array(known)).combine_chunks())
            parts[torch.from_numpy(known)] = asked.user_tower(user_idx)
    return Users(np.zeros(len(parts), np.float32), parts.numpy(), seen, seen_counts)


def _asked(weights: Weights, users: pa.Array) -> tuple[TowerNetwork[Any], Tensor]:
    """The network, and the users' indices in it; for users that were added, a network of their rows."""
    import torch

    network = _network(weights)
    if pa.types.is_integer(users.type):
        return network, _tensor(users)
    table = torch.from_numpy(factor_matrix(users, network.users.weight.shape[1]).copy())
    return _with_users(network, table), torch.arange(len(users))


def fitted_users(weights: Weights, rows: pa.Table, *, n_items: int, table_l2: float) -> pa.Table:
    """Users that are added: columns user_idx int, mean_rating float, factors: their rows of the user table.

    Parameters
    ----------
    rows : grain user x item; columns user_idx, item_idx, rating
    n_items, table_l2 : as NetworkArrays
    """
    network = _network(weights)
    users, place = np.unique(rows.column("user_idx").to_numpy(), return_inverse=True)
    ratings = Ratings.of(place, rows.column("item_idx").to_numpy(), rows.column("rating").to_numpy())
    average = network.users.weight.detach()[-1]
    table = _fitted(network, average, ratings, n_items=n_items, table_l2=table_l2).numpy()
    return pa.table(
        {
            "user_idx": pa.array(users, pa.int32()),
            "mean_rating": pa.array(ratings.user_means),
            "factors": float_lists(table),
        }
    )


def item_parts(weights: Weights, item_idx: pa.Array) -> Floats:
    """The items' part of the first layer: (n,) int32 -> (n, width)."""
    import torch

    network = _network(weights)  # loaded in inference mode it could never be trained, which adding users does
    with torch.inference_mode():
        parts: Floats = network.item_tower(_tensor(item_idx)).numpy()
    return parts


@lru_cache(maxsize=_NETWORKS_HELD)
def catalogue(weights: Weights, item_idx: bytes) -> NetworkCatalogue:
    """Items ready to be ranked; their indices as the bytes of an int32 array."""
    return NetworkCatalogue(_network(weights), np.frombuffer(item_idx, np.int32))


class NetworkCatalogue(Catalogue):
    """The item side of a network: scores are tiles of users x items through the layers after the first."""

    def __init__(self, network: TowerNetwork[Any], item_idx: Ints) -> None:
        import torch

        with torch.inference_mode():
            parts = network.item_tower(torch.from_numpy(item_idx.astype(np.int64))).numpy()
        super().__init__(item_idx, np.zeros(len(item_idx), np.float32), parts)
        self._network = network
        self._parts = torch.from_numpy(np.ascontiguousarray(self._matrix[: self.rank, : len(self)].T))

    def _scores(self, factors: Floats) -> Floats:
        import torch

        scores = np.full((len(factors), self._matrix.shape[1]), -np.inf, np.float32)
        users = torch.from_numpy(factors)
        items_a_tile = max(1, _TILE_BYTES // (4 * self._network.tile_width * max(1, len(users))))
        with torch.inference_mode():
            for start in range(0, len(self), items_a_tile):
                items = self._parts[start : start + items_a_tile]
                scores[:, start : start + len(items)] = self._network.score_tile(users, items).numpy()
        return scores


@lru_cache(maxsize=_NETWORKS_HELD)
def _network(weights: Weights) -> TowerNetwork[Any]:
    """The network, with one more user after the last: the average of all."""
    import torch

    from nightreel.neural.networks.storage import load_network

    found = digest_of(weights.folder)
    if found != weights.digest:
        raise DataError(f"{weights.folder}: holds the weights of another training ({found}, not {weights.digest})")
    torch.set_num_threads(1)  # Spark runs a task on every core
    network: Any = load_network(Path(weights.folder))
    table = network.users.weight
    network.users.weight = torch.nn.Parameter(torch.cat([table, table.mean(0, keepdim=True)]), requires_grad=False)
    return network  # type: ignore[no-any-return]


def _tensor(indices: pa.Array) -> Any:
    import torch

    return torch.from_numpy(indices.to_numpy(zero_copy_only=False).astype(np.int64))


@dataclass(frozen=True)
class NetworkArrays(ArrayModel):
    """A network in memory, with a row in its user table for each of `users`.

    average : (width,), the row of the average trained user, where the fit of added users starts
    table_l2 : the training's penalty, of a rating on its user's row
    """

    network: TowerNetwork[Any]
    average: Tensor
    users: Side
    items: Side
    table_l2: float
    global_mean: float
    capabilities: frozenset[Capability]
    slow_to_explain: ClassVar[bool] = True

    def predict(self, user_idx: Ints, item_idx: Ints) -> Predicted:
        import torch

        self.require(Capability.PREDICT)
        pairs = [within(index, side.known) for index, side in ((user_idx, self.users), (item_idx, self.items))]
        with torch.inference_mode():
            score = self.network(*(torch.from_numpy(part.astype(np.int64)) for part in pairs)).numpy()
        return with_fallback(
            score, user_idx, item_idx, users=self.users, items=self.items, global_mean=self.global_mean
        )

    def recommend(self, user_idx: Ints, *, n: int, seen: Lists) -> Ranked:
        import torch

        self.require(Capability.RECOMMEND)
        with torch.inference_mode():
            own = self.network.user_tower(torch.from_numpy(within(user_idx, self.users.known).astype(np.int64)))
            other = _with_users(self.network, self.average[None]).user_tower(torch.zeros(1, dtype=torch.int64))
        parts = np.where(is_known(user_idx, self.users.known)[:, None], own.numpy(), other.numpy())
        items = np.flatnonzero(self.items.known).astype(np.int32)
        group = Users(np.zeros(len(parts), np.float32), parts, seen.ids, seen.counts)
        return NetworkCatalogue(self.network, items).best(group, n)

    def with_users(self, ratings: Ratings) -> NetworkArrays:
        """Each user's row is fitted to its ratings by the training's loss, all else frozen."""
        n_items = len(self.items.bias)
        table = _fitted(self.network, self.average, ratings, n_items=n_items, table_l2=self.table_l2)
        return replace(self, network=_with_users(self.network, table), users=Side.of(ratings.user_means))

    def explain(self, user_idx: int, item_idx: int, ratings: Ratings) -> Explanation:
        """By ablation: user k of some added users has all ratings but the k-th, the last has all."""
        items, values = ratings.by_user.of(np.array([user_idx]))[1:]
        furthest = np.argsort(-np.abs(values - values.mean()), kind="stable")[:_ABLATED]
        everyone = np.arange(len(furthest) + 1)
        user, place = (part.ravel() for part in np.meshgrid(everyone, np.arange(len(items)), indexing="ij"))
        kept = np.append(furthest, -1)[user] != place
        ablated = Ratings.of(
            user[kept], items[place[kept]], values[place[kept]], n_users=len(everyone), n_items=ratings.n_items
        )
        rows = np.full(len(everyone), item_idx)
        scores = self.with_users(ablated)._scores(everyone, rows)
        score, base = float(self._scores(np.array([user_idx]), rows[:1])[0]), self._score_of_average(item_idx)
        amounts = scores[-1] - scores[:-1]
        how = "by ablation: what the score loses when the user's vector is fitted without the rating"
        return Explanation(score, base, items[furthest], amounts, score - base - float(amounts.sum()), how)

    def _scores(self, user_idx: Ints, item_idx: Ints) -> Any:
        import torch

        with torch.inference_mode():
            pairs = (torch.from_numpy(index.astype(np.int64)) for index in (user_idx, item_idx))
            return self.network(*pairs).numpy().astype(np.float64)

    def _score_of_average(self, item_idx: int) -> float:
        alone = replace(self, network=_with_users(self.network, self.average[None]))
        return float(alone._scores(np.array([0]), np.array([item_idx]))[0])


def network_arrays(header: Mapping[str, Any], *, users: Side, items: Side, user_idx: int | None) -> NetworkArrays:
    """The network of a run's header, for one of its users, as user 0, or for none.

    Raises
    ------
    DataError : its weights are gone, or those of another training
    """
    network = _network(Weights(header["folder"], header["digest"]))
    table = network.users.weight.detach()
    rows = table[:0] if user_idx is None else table[user_idx : user_idx + 1]
    return NetworkArrays(
        network=_with_users(network, rows),
        average=table[-1],
        users=users,
        items=items,
        table_l2=header["table_l2"],
        global_mean=header["global_mean"],
        capabilities=frozenset(map(Capability, header["capabilities"])),
    )


def _with_users(network: TowerNetwork[Any], table: Tensor) -> TowerNetwork[Any]:
    """The network with these rows, (users, width), as its user table; all else is shared."""
    from torch import nn

    other = copy.copy(network)
    other._modules = {**network._modules, "users": nn.Embedding(len(table), table.shape[1], _weight=table)}
    return other.eval()


def _fitted(network: TowerNetwork[Any], average: Tensor, ratings: Ratings, *, n_items: int, table_l2: float) -> Tensor:
    """(users, width): each user's row, by Adam over all its ratings at once, from the average user's on."""
    import torch

    users, items = (torch.from_numpy(index.astype(np.int64)) for index in (ratings.user_idx, ratings.item_idx))
    loss_of = _loss(network, users, items, torch.from_numpy(ratings.rating), n_items=n_items)
    table = torch.nn.Parameter(average.repeat(ratings.n_users, 1))
    fitted = _with_users(network, table)
    fitted.users.weight = table
    counts = torch.from_numpy(ratings.by_user.counts.astype(np.float32))
    optimiser = torch.optim.Adam([table], lr=_RATE)
    for _ in range(_STEPS):
        optimiser.zero_grad()
        penalty = 0.5 * table_l2 * (counts * table.square().sum(dim=1)).sum()
        table.grad = torch.autograd.grad(loss_of(fitted) + penalty, table)[0]
        optimiser.step()
    return table.detach()


def _loss(network: TowerNetwork[Any], users: Tensor, items: Tensor, ratings: Tensor, *, n_items: int) -> Any:
    """The training's loss over these ratings, as a function of the network: squares, or logits of positives."""
    import torch
    from torch.nn import functional

    if not getattr(network, "implicit", False):
        return lambda asked: (asked(users, items) - ratings).square().sum()
    from nightreel.neural.training.objective import UnseenItems, scrambled

    params: Any = network.params
    unseen = UnseenItems(users, items, n_users=int(users.max()) + 1, n_items=n_items)
    liked = ratings >= params.min_rating
    who, what = users[liked], items[liked]
    row, drawn = unseen.draw(who, scrambled(who.unsqueeze(1), what.unsqueeze(1), torch.arange(params.negatives)))
    pairs = torch.cat([who, who[row]]), torch.cat([what, drawn])
    labels = torch.cat([torch.ones(len(who)), torch.zeros(len(row))])
    return lambda asked: functional.binary_cross_entropy_with_logits(asked(*pairs), labels, reduction="sum")
