"""A network with what makes it learn from a batch: objective, gradients over the ranks, optimisers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import get_total_norm

from nightreel.neural.feed import Batch
from nightreel.neural.networks.network import Network
from nightreel.neural.process import Process
from nightreel.neural.spec import Recipe
from nightreel.neural.training.objective import Objective


class Learner:
    """One rank's network, its objective and optimiser; all ranks hold the same weights after every step.

    Parameters
    ----------
    objective : on the process's device, and with the same weights on every rank
    precision : of matrix products

    Its `module` is the objective as it learns: with more than one rank, wrapped to average gradients.
    """

    def __init__(
        self, objective: Objective, recipe: Recipe, process: Process, *, precision: Literal["fp32", "bf16"]
    ) -> None:
        self.objective, self.recipe, self.process = objective, recipe, process
        self.network = objective.network
        self.optimiser = Optimiser(objective.network, recipe, world_size=process.world_size)
        self._half = precision == "bf16"
        self.module = _distributed(objective, process.device) if process.world_size > 1 else objective

    def learn(self, batch: Batch, *, rate: float) -> Tensor:
        """Take a step; to be called on every rank. Returns the losses of the batch's entries, (m,) float32."""
        self.optimiser.zero_grad()
        losses, share = self.backward(batch)
        self.optimiser.exchange(share=share)
        self.optimiser.step(rate=rate)
        return losses

    def backward(self, batch: Batch) -> tuple[Tensor, float]:
        """Leave the gradients on the weights, averaged over the ranks but for the tables'.

        Returns the entries' losses, (m,) float32, and what an entry weighs in the step's loss, times the ranks.
        """
        share = batch.weight / max(1, len(batch) * self.objective.entries_a_row)
        with torch.autocast(self.process.device.type, dtype=torch.bfloat16, enabled=self._half):
            losses: Tensor = self.module(batch.users, batch.items, batch.ratings)
        (losses.sum() * share).backward()  # type: ignore[no-untyped-call]
        return losses.detach(), share


def _distributed(objective: Objective, device: torch.device) -> nn.Module:
    """The objective whose backward pass averages gradients over the ranks, but not those of the tables."""
    tables = objective.network.tables()
    ignored = [name for name, weight in objective.named_parameters() if any(weight is table for table in tables)]
    if len(ignored) == len(list(objective.parameters())):
        return objective
    ignore = DistributedDataParallel._set_params_and_buffers_to_ignore_for_model
    ignore(objective, ignored)  # type: ignore[no-untyped-call]
    devices = [device] if device.type == "cuda" else None
    return DistributedDataParallel(objective, devices, broadcast_buffers=False, gradient_as_bucket_view=True)


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
        self._steppers: dict[str, torch.optim.Optimizer] = {"tables": torch.optim.Adagrad(self._tables, eps=1e-10)}
        if self._dense:
            decayed = {"params": [weight for weight in self._dense if weight.dim() > 1]}
            others = {"params": [weight for weight in self._dense if weight.dim() <= 1], "weight_decay": 0.0}
            groups = [group for group in (decayed, others) if group["params"]]
            self._steppers["dense"] = torch.optim.AdamW(groups, weight_decay=recipe.weight_decay, fused=True)

    def zero_grad(self) -> None:
        """Drop the gradients of the step before."""
        for stepper in self._steppers.values():
            stepper.zero_grad(set_to_none=True)

    def exchange(self, *, share: float) -> None:
        """Average the tables' gradients over the ranks, each row once; those of other weights already are averages.

        DistributedDataParallel would add up dense gradients, or sparse ones over gloo only; here the ranks exchange the
        rows of their batches. To be called on every rank.

        Parameters
        ----------
        share : what an entry of this rank's batch weighs in the step's loss, times the number of ranks
        """
        with _unchecked():
            for table in self._tables:
                rows = _with_shares(table, share)
                if self._world_size > 1:
                    rows = _of_all_ranks(rows, self._world_size)
                indices, values = rows.indices(), rows.values()
                gradient, shares, touched = values[:, :-1], values[:, -1:], table.detach()[indices[0]]
                # Each entry adds the penalty l2 / 2 * |row|^2 of its rows to the loss.
                gradient = torch.addcmul(gradient, touched, shares, value=self._recipe.table_l2) / self._world_size
                table.grad = torch.sparse_coo_tensor(indices, gradient, table.shape, is_coalesced=True)

    def step(self, *, rate: float) -> None:
        """Clip the gradients and move the weights, at the recipe's learning rates times `rate`."""
        rates = {"tables": self._recipe.table_rate, "dense": self._recipe.dense_rate}
        with _unchecked():
            if self._recipe.gradient_clip:
                self._clip()
            for name, stepper in self._steppers.items():
                for group in stepper.param_groups:
                    group["lr"] = rates[name] * rate
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
        found = [weight.grad for weight in (*self._tables, *self._dense) if weight.grad is not None]
        gradients = [gradient._values() if gradient.is_sparse else gradient for gradient in found]
        scale = (self._recipe.gradient_clip / (get_total_norm(gradients) + 1e-6)).clamp(max=1.0)
        for gradient in gradients:
            gradient.mul_(scale)


def _with_shares(table: Tensor, share: float) -> Tensor:
    """A table's gradient with one column more, which counts the shares of the row's entries: sparse, each row once."""
    if table.grad is None:
        raise ValueError("a table has no gradient; every step has to look rows up in all tables")
    # As the backward pass leaves them: an entry for each row looked up.
    indices, values = table.grad._indices(), table.grad._values()
    values = torch.cat([values, values.new_full((len(values), 1), share)], dim=1)
    return torch.sparse_coo_tensor(indices, values, (len(table), values.shape[1])).coalesce()


def _of_all_ranks(rows: Tensor, world_size: int) -> Tensor:
    """The sum over the ranks of their sparse rows."""
    counts = _gathered(torch.tensor([rows._nnz()], device=rows.device), world_size).flatten().tolist()
    parts = []
    for part in (rows.indices()[0], rows.values()):
        # Collectives want equal sizes.
        padded = part.new_zeros((max(counts), *part.shape[1:]))
        padded[: len(part)] = part
        gathered = _gathered(padded, world_size)
        parts.append(torch.cat([gathered[rank, :count] for rank, count in enumerate(counts)]))
    return torch.sparse_coo_tensor(parts[0].unsqueeze(0), parts[1], rows.shape).coalesce()


def _gathered(tensor: Tensor, world_size: int) -> Tensor:
    """(...) -> (world_size, ...)"""
    gathered = tensor.new_empty((world_size, *tensor.shape))
    dist.all_gather_into_tensor(gathered.view(-1), tensor.reshape(-1))
    return gathered


def _unchecked() -> torch.sparse.check_sparse_tensor_invariants:
    """Sparse tensors are taken to be right, which is torch's default as well; but for that it warns once a process."""
    return torch.sparse.check_sparse_tensor_invariants(enable=False)  # type: ignore[no-untyped-call]
