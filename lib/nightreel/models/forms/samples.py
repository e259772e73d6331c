"""A chain's samples side by side as one vector: their mean score is the factors form, and their spread its error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nightreel.models.engine.catalogue import Floats

Numbers = npt.NDArray[np.floating[Any]]

TAIL = 4
"""Entries after the samples: a user's deviations of bias and of noise in the first and third, an item's in the second
and fourth, so that they add nothing to a score."""
_SCALE = 1e-3
"""Of those entries, so that they do not count among the items' similarities either."""


@dataclass(frozen=True)
class Unknown:
    """What a user or item without ratings has: the mean that the vectors are drawn around."""

    bias: float
    vector: tuple[float, ...]


@dataclass(frozen=True)
class Samples:
    """How many samples the vectors hold, of (length - TAIL) / count numbers each, divided by sqrt(count).

    The users' parts are whitened, that is, divided by the root of their prior's covariance, and the items' multiplied
    by it: the products stay, and users are drawn around `user` with unit covariance.
    """

    count: int
    user: Unknown
    item: Unknown

    def header(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, header: Mapping[str, Any]) -> Samples | None:
        """What a model's header holds; None where its vectors are no samples."""
        held = header.get("samples")
        if not held:
            return None
        unknown = (Unknown(held[side]["bias"], tuple(held[side]["vector"])) for side in ("user", "item"))
        return cls(held["count"], *unknown)

    def deviation(self, users: Floats, items: Floats) -> Floats:
        """(pairs,): the standard deviation of a rating around its score: of the samples' scores, and of the noise.

        Parameters
        ----------
        users, items : (pairs, length)
        """
        shape = (len(users), self.count, -1)
        parts = np.einsum("psk,psk->ps", users[:, :-TAIL].reshape(shape), items[:, :-TAIL].reshape(shape))
        user, item = users[:, -TAIL:].astype(np.float64) / _SCALE, items[:, -TAIL:].astype(np.float64) / _SCALE
        variance = (self.count * parts).var(axis=1, dtype=np.float64) + user[:, 0] ** 2 + item[:, 1] ** 2
        deviation: Floats = np.sqrt(variance + (user[:, 2] * item[:, 3]) ** 2).astype(np.float32)
        return deviation


def laid_side_by_side(parts: list[Numbers], bias: Numbers, noise: Numbers, *, users: bool) -> Floats:
    """(rows, length): the vectors of all samples.

    Parameters
    ----------
    parts : of each sample (rows, rank)
    bias, noise : (rows,), the deviation of the bias over the samples, and the row's share in that of the noise
    """
    tail = np.zeros((len(bias), TAIL))
    tail[:, 0 if users else 1], tail[:, 2 if users else 3] = bias, noise
    return np.hstack([*(part / np.sqrt(len(parts)) for part in parts), tail * _SCALE]).astype(np.float32)
