"""The Markov chain of Bayesian factorisation: its state, a sweep over both sides, and what is kept of its samples.

The side with more rows is `wide`, the other `narrow`. A sweep draws the wide rows, then the narrow ones, each in one
pass over that side's lists, and between them what the passes have gathered for the links: so a link costs no pass of
its own, and no more than the square of the narrow side's rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from nightreel.models.engine.catalogue import Floats
from nightreel.models.solve.gibbs import (
    Drawn,
    Prior,
    draw_alpha,
    draw_prior,
    draw_strength,
    draw_weights,
    solve_link,
)


class DrawSide(Protocol):
    """Draws the rows of a side, wherever they are: gibbs.draw for its lists."""

    def __call__(self, side: str, other: Floats, own: Floats, *, prior: Prior, alpha: float, seed: int) -> Floats: ...


class Gramians(NamedTuple):
    """Of the links, both (narrow rows, narrow rows) float32.

    of_wide : F'F, F having a row of 1 / sqrt(entries) for each wide row; of_narrow : F F', F likewise of narrow rows
    """

    of_wide: Floats
    of_narrow: Floats


@dataclass
class Side:
    """A side's rows, what they are drawn around, and the weights of their noise.

    vectors : (rows, d), the bias first; weights : (rows, 1)
    coefficients : of the side's link, (rows of the other side, d); strength : their relative precision
    counts : (rows,) entries
    """

    vectors: Floats
    weights: Floats
    prior: Prior
    coefficients: Floats
    strength: float
    counts: Floats

    @property
    def by_entries(self) -> Floats:
        """(rows, 1): 1 / sqrt(entries); 0 without entries."""
        scale = np.where(self.counts > 0, 1 / np.sqrt(np.maximum(self.counts, 1)), 0)
        return scale.astype(np.float32)[:, None]

    def take(self, drawn: Drawn, alpha: float, random: np.random.Generator) -> None:
        self.vectors = np.ascontiguousarray(drawn.vectors)
        self.weights = draw_weights(drawn, self.weights, alpha, random)
        known = drawn.counts > 0
        self.prior = draw_prior((drawn.vectors - drawn.link)[known].astype(np.float64), random)


_PARTS = ("vectors", "weights", "coefficients", "strength")
_PRIOR = ("mean", "precision")


class Chain:
    """The state after some sweeps.

    Parameters
    ----------
    draw : of the sides "wide" and "narrow"
    gramians : None without links
    counts : of the entries of the wide and of the narrow rows
    """

    def __init__(
        self, draw: DrawSide, gramians: Gramians | None, counts: tuple[Floats, Floats], *, rank: int, seed: int
    ) -> None:
        self.draw, self.gramians, self.seed, self.sweeps, self.alpha = draw, gramians, seed, 0, 1.5
        random, d = np.random.default_rng(seed), rank + 1
        self.wide, self.narrow = (
            Side(
                random.normal(0, 0.1, (len(own), d)).astype(np.float32), np.ones((len(own), 1), np.float32),
                Prior(np.zeros(d), np.eye(d) / 0.1**2), np.zeros((len(other), d), np.float32), 5.0, own,
            )
            for own, other in (counts, counts[::-1])
        )  # fmt: skip
        self._towards = np.zeros((len(counts[1]), d), np.float32)
        self._noise = np.zeros((len(counts[0]), d), np.float32)

    def sweep(self) -> None:
        """Draw everything anew, once."""
        self.sweeps += 1
        random = np.random.default_rng([self.seed, self.sweeps])
        wide, narrow, linked = self.wide, self.narrow, self.gramians is not None
        given = [narrow.vectors, narrow.weights, wide.coefficients, *([self._towards] if linked else [])]
        drawn = self._drawn("wide", wide, given, random)
        wide.take(drawn, self.alpha, random)
        if linked and self.sweeps > 1:
            sums = drawn.sums * np.sqrt(drawn.counts)[:, None]
            narrow.coefficients = (sums + np.sqrt(narrow.strength) * self._noise).astype(np.float32) / np.float32(
                narrow.strength
            )
            narrow.strength = draw_strength(narrow.coefficients, narrow.prior, random)
        given = [wide.vectors, wide.weights, narrow.coefficients]
        if linked:
            noise = random.standard_normal(wide.vectors.shape, np.float32)
            shifted = wide.vectors - wide.prior.mean + random.standard_normal(wide.vectors.shape) @ wide.prior.spread.T
            given += [(shifted * wide.by_entries).astype(np.float32), noise]
        drawn = self._drawn("narrow", narrow, given, random)
        narrow.take(drawn, self.alpha, random)
        self.alpha = draw_alpha(drawn, narrow.weights, random)
        if self.gramians is not None:
            self._draw_links(self.gramians, drawn, noise, random)

    def state(self) -> dict[str, Any]:
        """All that the next sweep depends on, as arrays by name."""
        sides = {"wide": self.wide, "narrow": self.narrow}
        of_sides = {f"{name}.{part}": getattr(side, part) for name, side in sides.items() for part in _PARTS}
        priors = {f"{name}.prior.{part}": getattr(side.prior, part) for name, side in sides.items() for part in _PRIOR}
        scalars = {"sweeps": np.array(self.sweeps), "alpha": np.array(self.alpha)}
        return {**of_sides, **priors, **scalars, "towards": self._towards, "noise": self._noise}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state`."""
        for name, side in {"wide": self.wide, "narrow": self.narrow}.items():
            side.prior = Prior(*(state[f"{name}.prior.{part}"] for part in _PRIOR))
            side.vectors, side.weights, side.coefficients = (state[f"{name}.{part}"] for part in _PARTS[:3])
            side.strength = float(state[f"{name}.strength"])
        self.sweeps, self.alpha = int(state["sweeps"]), float(state["alpha"])
        self._towards, self._noise = state["towards"], state["noise"]

    def _drawn(self, name: str, side: Side, given: list[Floats], random: np.random.Generator) -> Drawn:
        other, seed = np.hstack(given), int(random.integers(1 << 62))
        columns = self.draw(name, other, side.weights, prior=side.prior, alpha=self.alpha, seed=seed)
        return Drawn.split(columns, side.vectors.shape[1])

    def _draw_links(self, gramians: Gramians, drawn: Drawn, noise: Floats, random: np.random.Generator) -> None:
        """The wide side's link, by its normal equations; of the narrow side's what the next pass is to add up.

        Both are exact draws of B ~ N((F'F + l I)^-1 F'R, (F'F + l I)^-1 x the prior's covariance): the right side has
        noise added, F'(R + E) + sqrt(l) E'. Of the narrow side F F' is the smaller matrix, so B = (F'(R + E - z) +
        sqrt(l) E') / l with z = (F F' + l I)^-1 (F F'(R + E) + sqrt(l) F E').
        """
        wide, narrow, d = self.wide, self.narrow, self.wide.vectors.shape[1]
        right = drawn.sums[:, :d] * np.sqrt(drawn.counts)[:, None]
        right = right + np.sqrt(wide.strength) * random.standard_normal(right.shape) @ wide.prior.spread.T
        wide.coefficients = solve_link(gramians.of_wide, wide.strength, right.astype(np.float32))
        wide.strength = draw_strength(wide.coefficients, wide.prior, random)

        spread = narrow.prior.spread.T
        shifted = narrow.vectors - narrow.prior.mean + random.standard_normal(narrow.vectors.shape) @ spread
        shifted = shifted.astype(np.float32)
        right = gramians.of_narrow @ shifted + np.sqrt(narrow.strength) * (drawn.sums[:, d:] @ spread)
        rest = shifted - solve_link(gramians.of_narrow, narrow.strength, right.astype(np.float32))
        self._towards = (rest * narrow.by_entries).astype(np.float32)
        self._noise = (noise @ spread).astype(np.float32)
