"""The samples of a chain that are kept, and the vectors made of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from nightreel.models.engine.catalogue import Floats
from nightreel.models.forms.samples import Numbers, Samples, Unknown, laid_side_by_side
from nightreel.models.solve.chain import Side


class Sampled(NamedTuple):
    """bias : (rows,), vectors : (rows, length), of both sides; noise : the variance of a rating around its score."""

    user_bias: Numbers
    users: Floats
    item_bias: Numbers
    items: Floats
    samples: Samples
    noise: float
    bias_variance: float


class _Sample(NamedTuple):
    """Of a side's rows and, last, of who or what has no ratings.

    vectors : (rows + 1, rank); bias : (rows + 1,); noise : (rows + 1,), the row's share in the noise's variance
    spread : (), the deviation of the biases' prior
    """

    vectors: Floats
    bias: Floats
    noise: Floats
    spread: Any


class KeptSamples:
    """Samples of users and items, as they are added."""

    def __init__(self) -> None:
        self.users: list[_Sample] = []
        self.items: list[_Sample] = []
        self.scalars: list[tuple[float, float]] = []

    def __len__(self) -> int:
        return len(self.scalars)

    def add(self, users: Side, items: Side, alpha: float) -> None:
        """The state of both sides now."""
        spread = np.linalg.inv(users.prior.precision)
        root = np.linalg.cholesky(spread[1:, 1:])
        whole, mean = users.vectors[:, 1:].astype(np.float64), users.prior.mean
        whitened = np.linalg.solve(root, np.vstack([whole, mean[1:]]).T).T.astype(np.float32)
        coloured = (np.vstack([items.vectors[:, 1:], items.prior.mean[1:]]) @ root).astype(np.float32)
        noise = 1 / np.sqrt(alpha)
        for kept, side, vectors in ((self.users, users, whitened), (self.items, items, coloured)):
            bias = np.append(side.vectors[:, 0], side.prior.mean[0]).astype(np.float32)
            inverse = np.append(side.weights[:, 0], 1.0)
            own = (np.linalg.inv(side.prior.precision)[0, 0]) ** 0.5
            kept.append(_Sample(vectors, bias, (noise / inverse).astype(np.float32), np.array(own)))
        self.scalars.append((alpha, float(spread[0, 0])))

    def state(self) -> dict[str, Any]:
        """The samples so far, as arrays by name."""
        return {
            "kept": np.array(len(self)),
            "scalars": np.array(self.scalars),
            **{
                f"{side}.{number}.{place}": part
                for side in ("users", "items")
                for number, sample in enumerate(getattr(self, side))
                for place, part in enumerate(sample)
            },
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state`."""
        self.scalars = [(float(alpha), float(spread)) for alpha, spread in state["scalars"].reshape(-1, 2)]
        for side in ("users", "items"):
            numbers = range(int(state["kept"]))
            parts = [[state[f"{side}.{number}.{place}"] for place in range(4)] for number in numbers]
            setattr(self, side, [_Sample(*part) for part in parts])

    def sampled(self) -> Sampled:
        """The last row of each side is that of who or what has no ratings."""
        (user_bias, users), (item_bias, items) = _joined(self.users, users=True), _joined(self.items, users=False)
        unknown = [
            Unknown(float(bias[-1]), tuple(map(float, rows[-1])))
            for bias, rows in ((user_bias, users), (item_bias, items))
        ]
        alphas, spreads = np.array(self.scalars).T
        samples = Samples(len(self), *unknown)
        return Sampled(
            user_bias[:-1],
            users[:-1],
            item_bias[:-1],
            items[:-1],
            samples,
            float((1 / alphas).mean()),
            float(spreads.mean()),
        )


def _joined(kept: list[_Sample], *, users: bool) -> tuple[Numbers, Floats]:
    vectors, biases, noises, own = zip(*kept, strict=True)
    told = np.array(biases, np.float64)
    deviation = told.std(axis=0)
    deviation[-1] = np.sqrt(deviation[-1] ** 2 + np.mean(np.square(own)))
    noise = np.sqrt(np.array(noises, np.float64).mean(axis=0))
    return told.mean(axis=0), laid_side_by_side(list(vectors), deviation, noise, users=users)
