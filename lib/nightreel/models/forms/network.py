"""The network form: a torch module whose weights lie in a file, scored in batches on the executors."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from nightreel.errors import DataError
from nightreel.models.contract import Capability, TrainedModel
from nightreel.models.engine.catalogue import Catalogue, Floats, Ints, Ranked, Users
from nightreel.models.engine.top_n import check_places, rank_unseen, similar_items
from nightreel.models.forms.factors import join_sides, with_fallback

if TYPE_CHECKING:
    from nightreel.neural.networks.tower_networks import TowerNetwork

_NETWORKS_HELD = 2
_PAIRS_AT_ONCE = 1 << 16
_TILE_BYTES = 32 << 20
"""Of a layer's output for a tile of users x items; layers in a row hold twice that."""


class Weights(NamedTuple):
    """A trained network's folder, and the digest of its weights: another training in the same folder is another."""

    folder: str
    digest: str


@dataclass(frozen=True)
class NetworkModel(TrainedModel):
    """A trained network, and the users and items of its training rows.

    Parameters
    ----------
    algorithm : the registry's name of what trained it
    users : grain user; columns user_idx int, bias float (0), factors array<float> (empty), mean_rating float
    items : grain item; columns item_idx int, bias float (0), factors array<float> (the item's part of the first layer,
        by which items are compared), mean_rating float
    weights : the folder with model.safetensors and model.json, which every executor reaches, and their digest
    global_mean : mean training rating, the fallback of a pair whose user and item are both unknown
    """

    form: ClassVar[str] = "network"
    algorithm: str
    users: DataFrame
    items: DataFrame
    weights: Weights
    global_mean: float
    capabilities: frozenset[Capability]

    def predict(self, pairs: DataFrame) -> DataFrame:
        self.require(Capability.PREDICT)
        joined = join_sides(pairs, users=self.users, items=self.items)
        both = F.col("_user_mean").isNotNull() & F.col("_item_mean").isNotNull()
        weights = self.weights

        def scores(users: pa.Array, items: pa.Array) -> pa.Array:
            return scores_of_pairs(weights, users, items)

        score = F.arrow_udf(scores, "float")(  # type: ignore[attr-defined]
            F.when(both, F.col("user_idx")), F.when(both, F.col("item_idx"))
        )
        scored = joined.select(*(F.col(f"`{name}`") for name in joined.columns), score.alias("_score"))
        return with_fallback(scored, F.col("_score"), columns=pairs.columns, global_mean=self.global_mean)

    def recommend(self, users: DataFrame, *, n: int, seen: DataFrame) -> DataFrame:
        self.require(Capability.RECOMMEND)
        check_places(n)
        known = self.users.select("user_idx", F.lit(True).alias("known"))
        asked = users.select("user_idx").join(known, "user_idx", "left")
        items = self.items.select("item_idx").toArrow().column(0).to_numpy().astype(np.int32).tobytes()
        weights = self.weights

        def best(group: pa.Table, seen: Ints, counts: Ints) -> tuple[Users, Ranked]:
            users = users_of(weights, group, seen, counts)
            return users, catalogue(weights, items).best(users, n)

        return rank_unseen(asked.select("user_idx", "known"), seen, best)

    def similar(self, *, n: int) -> DataFrame:
        self.require(Capability.SIMILAR)
        return similar_items(self.items.select("item_idx", "factors"), n=n)

    def header(self) -> dict[str, Any]:
        """What is kept with the two tables and the folder, as JSON types."""
        return {
            "global_mean": self.global_mean,
            "folder": self.weights.folder,
            "digest": self.weights.digest,
            "capabilities": sorted(self.capabilities),
        }

    @classmethod
    def restore(cls, algorithm: str, header: Mapping[str, Any], *, users: DataFrame, items: DataFrame) -> Self:
        """The model whose `header` and tables these are."""
        return cls(
            algorithm=algorithm,
            users=users.select("user_idx", "bias", "factors", "mean_rating"),
            items=items.select("item_idx", "bias", "factors", "mean_rating"),
            weights=Weights(header["folder"], header["digest"]),
            global_mean=header["global_mean"],
            capabilities=frozenset(map(Capability, header["capabilities"])),
        )


def digest_of(folder: str) -> str:
    from nightreel.neural.networks.storage import WEIGHTS

    try:
        with (Path(folder) / WEIGHTS).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]
    except OSError as error:
        raise DataError(f"{folder}: the network's weights cannot be read: {error.strerror}; train it again") from error


def scores_of_pairs(weights: Weights, users: pa.Array, items: pa.Array) -> pa.Array:
    """Scores of pairs of indices; null where either is null.

    Parameters
    ----------
    users, items : (n,) int32
    """
    import torch

    network = _network(weights)
    both = users.is_valid().to_numpy(zero_copy_only=False) & items.is_valid().to_numpy(zero_copy_only=False)
    asked = [_tensor(side.filter(pa.array(both))) for side in (users, items)]
    scores = np.zeros(len(both), np.float32)
    if both.any():
        with torch.inference_mode():
            parts = [network(*parts) for parts in zip(*(side.split(_PAIRS_AT_ONCE) for side in asked), strict=True)]
        scores[both] = torch.cat(parts).numpy()
    return pa.array(scores, mask=~both)


def users_of(weights: Weights, rows: pa.Table, seen: Ints, seen_counts: Ints) -> Users:
    """Columns user_idx int, known boolean: the users' part of the first layer; of unknown ones the average user's."""
    import torch

    network = _network(weights)
    user_idx = rows.column("user_idx").to_numpy().astype(np.int64)
    known = rows.column("known").is_valid().to_numpy()
    average = network.domain.users
    with torch.inference_mode():
        parts = network.user_tower(torch.from_numpy(np.where(known, user_idx, average))).numpy()
    return Users(np.zeros(len(parts), np.float32), parts, seen, seen_counts)


def item_parts(weights: Weights, item_idx: pa.Array) -> Floats:
    """The items' part of the first layer: (n,) int32 -> (n, width)."""
    import torch

    with torch.inference_mode():
        parts: Floats = _network(weights).item_tower(_tensor(item_idx)).numpy()
    return parts


@lru_cache(maxsize=_NETWORKS_HELD)
def catalogue(weights: Weights, item_idx: bytes) -> NetworkCatalogue:
    """Items ready to be ranked; their indices as the bytes of an int32 array."""
    return NetworkCatalogue(weights, np.frombuffer(item_idx, np.int32))


class NetworkCatalogue(Catalogue):
    """The item side of a network: scores are tiles of users x items through the layers after the first."""

    def __init__(self, weights: Weights, item_idx: Ints) -> None:
        import torch

        super().__init__(item_idx, np.zeros(len(item_idx), np.float32), item_parts(weights, pa.array(item_idx)))
        self._network = _network(weights)
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
