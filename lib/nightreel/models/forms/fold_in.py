"""Fold-in: the bias and vector of a user that a factor model was not trained on, and what each rating gives to them.

With the items fixed, a user's part of the objective is a least-squares problem of its own. Its solution is linear in
the ratings, so a score is a sum over them: that is the explanation of the score.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from nightreel.models.engine.catalogue import Ints
from nightreel.models.forms.arrays import Side
from nightreel.models.forms.samples import Unknown

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class FoldIn:
    """What a user's bias and vector minimise, given its n ratings r of items with biases b_i and vectors y_i.

    `bias`: no vector. `explicit`: sum (r - mean - b - b_i - x . y_i)^2 + reg n |x|^2. `joint`: the same with b found
    together with x, + reg n b^2. `implicit`: over all items c (p - x . y_i)^2, + reg n |x|^2 with n positives; p = 1
    and c = 1 + alpha for a positive (alpha times its rating if by_rating), else p = 0 and c = 1.
    `prior`: sum (r - mean - b - b_i - x . y_i)^2 + reg |x - x_0|^2 + bias_reg (b - b_0)^2, with b_0 and x_0 of a user
    without ratings. But for `joint` and `prior`, b = weight * sum (r - mean - b_i) / (n + bias_reg). Of `implicit`,
    mean and biases are 0.
    """

    kind: Literal["bias", "explicit", "joint", "prior", "implicit"] = "bias"
    reg: float = 0.0
    reg_power: float = 1.0
    """Of n, where reg is multiplied by it."""
    weight: float = 0.0
    """0: users have no bias."""
    bias_reg: float = 0.0
    """In ratings; of `prior`, in squared ratings."""
    alpha: float = 0.0
    by_rating: bool = False
    min_rating: float = 0.0
    """What counts as a positive of `implicit`."""

    @classmethod
    def of(cls, header: Mapping[str, Any]) -> FoldIn | None:
        """The rule that a model's header holds; None where users cannot be added."""
        return cls(**header["fold_in"]) if header.get("fold_in") else None


class Folded(NamedTuple):
    """A user that was folded in, and what each of its ratings gives: the parts sum to the whole.

    used : (ratings,), which ratings count: those of items that the model knows, of `implicit` the positives
    bias, bias_parts : the user's bias; (used,)
    vector, vector_parts : the user's vector, (rank,); (rank, used)
    """

    used: npt.NDArray[np.bool_]
    bias: float
    bias_parts: Doubles
    vector: Doubles
    vector_parts: Doubles

    def amounts(self, vector: Any) -> Doubles:
        """(used,): what each used rating gives to the score of the item with this vector."""
        amounts: Doubles = np.asarray(vector, np.float64) @ self.vector_parts + self.bias_parts
        return amounts


class FixedItems:
    """The item side of a trained model, ready to fold users in.

    Parameters
    ----------
    items : those that are known are those the model was trained on
    around : of `prior`, the user without ratings
    """

    def __init__(self, rule: FoldIn, items: Side, *, mean: float, around: Unknown | None = None) -> None:
        self._start_bias = around.bias if around else 0.0
        self._start = np.array(around.vector if around else np.zeros(items.factors.shape[1]), np.float64)
        self.rule, self.mean, self.known = rule, mean, items.known
        self.bias, self.factors = items.bias.astype(np.float64), items.factors.astype(np.float64)
        trained = self.factors[self.known]
        self._gramian = trained.T @ trained if rule.kind == "implicit" else None

    def fold(self, items: Ints, ratings: Any) -> Folded:
        """A user with these ratings: items and ratings (n,), each item once."""
        rule, ratings = self.rule, np.asarray(ratings, np.float64)
        used = (items >= 0) & (items < len(self.known))
        used &= self.known[np.where(used, items, 0)]
        if rule.kind == "implicit":
            used &= ratings >= rule.min_rating
        items, ratings, count = items[used], ratings[used], int(used.sum())
        rows = self.factors[items]
        rest = ratings - self.mean - self.bias[items] - self._start_bias - rows @ self._start
        divisor = count + rule.bias_reg
        bias_parts = rest * (rule.weight / divisor if divisor > 0 else 0.0)
        joint = rule.kind in ("joint", "prior")
        bias, left = self._start_bias + float(bias_parts.sum()), np.zeros((rows.shape[1] + joint,) * 2)
        weights = np.ones(count)
        if rule.kind == "bias" or not count:
            return Folded(used, bias, bias_parts, self._start, np.zeros((rows.shape[1], count)))
        if joint:
            rows = np.column_stack([rows, weights])
        elif self._gramian is not None:
            weights = rule.alpha * (ratings if rule.by_rating else weights)
            left += self._gramian
        left += (rows * weights[:, None]).T @ rows
        left[np.diag_indices(len(left))] += rule.reg * (1 if rule.kind == "prior" else count**rule.reg_power)
        if rule.kind == "prior":
            left[-1, -1] += rule.bias_reg - rule.reg
        of_unit = np.linalg.solve(left, rows.T)  # the solution where one target is 1 and all others are 0
        if joint:
            parts = of_unit * rest
            whole = self._start + parts[:-1].sum(axis=1)
            return Folded(used, self._start_bias + float(parts[-1].sum()), parts[-1], whole, parts[:-1])
        if rule.kind == "implicit":
            parts = of_unit * (1.0 + weights)
        else:  # the bias is taken off every target, and is itself a sum over the ratings
            parts = of_unit * rest - np.outer(of_unit.sum(axis=1), bias_parts)
        return Folded(used, bias, bias_parts, parts.sum(axis=1), parts)
