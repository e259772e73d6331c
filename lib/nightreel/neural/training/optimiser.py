"""The step: Adagrad on the rows of the tables that the batch touched, AdamW on all other weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import get_total_norm

from nightreel.neural.networks.network import Network
from nightreel.neural.training import row_gradients
from nightreel.neural.training.recipe import Recipe


class Optimiser:
    """Both optimisers of a network as one.

    Adagrad leaves a row without gradient where it is, so stepping only the touched rows is the same as stepping all
    (with Adam it is not: its averages move on), and it keeps one number a weight instead of two. Its rates suit the
    number of ratings that a row has (Chin et al. 2015, LIBMF). AdamW's weight decay spares vectors and numbers: biases
    and scales.
    """

    def __init__(self, network: Network[Any], recipe: Recipe, *, world_size: int) -> None:
        self._tables = network.tables()
        self._dense = [weight for weight in network.parameters() if all(weight is not table for table in self._tables)]
        self._recipe, self._world_size = recipe, world_size
        self._rates = {"tables": recipe.table_rate, "dense": recipe.dense_rate}
        self._steppers: dict[str, torch.optim.Optimizer] = {"tables": torch.optim.Adagrad(self._tables, eps=1e-10)}
        if self._dense:
            self._steppers["dense"] = _adamw(self._dense, weight_decay=recipe.weight_decay)

    def forget(self) -> None:
        """Drop the gradients of the step before."""
        for stepper in self._steppers.values():
            stepper.zero_grad(set_to_none=True)

    def step(self, *, share: float, rate: float) -> None:
        """From gradients to new weights; to be called on every rank.

        Parameters
        ----------
        share : what an entry of this rank's batch weighs in the step's loss, times the number of ranks
        rate : what the recipe's learning rates are multiplied by
        """
        self.exchange(share=share)
        self.apply(rate=rate)

    def exchange(self, *, share: float) -> None:
        """The tables' gradients become the average over the ranks; those of other weights already are."""
        with _unchecked():
            row_gradients.average(self._tables, share=share, l2=self._recipe.table_l2, world_size=self._world_size)

    def apply(self, *, rate: float) -> None:
        """Clip the gradients and move the weights."""
        with _unchecked():
            self._clip()
            for name, stepper in self._steppers.items():
                for group in stepper.param_groups:
                    group["lr"] = self._rates[name] * rate
                stepper.step()

    def state(self) -> dict[str, Tensor]:
        """All that the next step depends on, by names such as dense.0.exp_avg; shares memory with the optimiser."""
        return {
            f"{name}.{number}.{part}": tensor
            for name, stepper in self._steppers.items()
            for number, parts in stepper.state_dict()["state"].items()
            for part, tensor in parts.items()
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave."""
        for name, stepper in self._steppers.items():
            found: dict[int, dict[str, Tensor]] = {}
            for key, tensor in state.items():
                owner, number, part = key.split(".")
                if owner == name:
                    found.setdefault(int(number), {})[part] = tensor
            stepper.load_state_dict({"state": found, "param_groups": stepper.state_dict()["param_groups"]})

    def _clip(self) -> None:
        if self._recipe.gradient_clip:
            gradients = list(self._gradients())
            scale = (self._recipe.gradient_clip / (get_total_norm(gradients) + 1e-6)).clamp(max=1.0)
            for gradient in gradients:
                gradient.mul_(scale)

    def _gradients(self) -> Iterator[Tensor]:
        for weight in (*self._tables, *self._dense):
            if weight.grad is not None:
                yield weight.grad._values() if weight.grad.is_sparse else weight.grad


def _adamw(weights: Sequence[Tensor], *, weight_decay: float) -> torch.optim.AdamW:
    decayed = {"params": [weight for weight in weights if weight.dim() > 1], "weight_decay": weight_decay}
    others = {"params": [weight for weight in weights if weight.dim() <= 1], "weight_decay": 0.0}
    return torch.optim.AdamW([group for group in (decayed, others) if group["params"]], fused=True)


def _unchecked() -> torch.sparse.check_sparse_tensor_invariants:
    """Sparse tensors are taken to be right, which is torch's default as well; but for that it warns once a process."""
    return torch.sparse.check_sparse_tensor_invariants(enable=False)  # type: ignore[no-untyped-call]
