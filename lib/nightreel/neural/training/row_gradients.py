"""The gradients of the tables' rows, exchanged between the ranks without touching the rest of the tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor


class Rows(NamedTuple):
    """indices : (n,) int64, rows of a table; values : (n, width) float32, what is to be added up for each"""

    indices: Tensor
    values: Tensor

    def added_up(self, table: Tensor) -> Rows:
        """Every row once, in order."""
        size = (len(table), self.values.shape[1])
        summed = torch.sparse_coo_tensor(self.indices.unsqueeze(0), self.values, size).coalesce()
        return Rows(summed.indices()[0], summed.values())


def average(tables: Sequence[Tensor], *, share: float, l2: float, world_size: int) -> None:
    """Make each table's sparse gradient the average over the ranks, each row once, with the penalty's gradient.

    DistributedDataParallel would add up dense gradients, or sparse ones over gloo only; here the ranks tell each other
    their rows. To be called on every rank.

    Parameters
    ----------
    tables : their `grad` is what the backward pass left there
    share : what an entry of this rank's batch weighs in the step's loss, times world_size
    l2 : of the penalty l2 / 2 * |row|^2 that each entry adds for its rows
    """
    local = [_with_shares(table, share).added_up(table) for table in tables]
    for table, rows in zip(tables, local if world_size == 1 else _of_all_ranks(tables, local, world_size), strict=True):
        gradient, shares = rows.values[:, :-1], rows.values[:, -1:]
        gradient = torch.addcmul(gradient, table.detach()[rows.indices], shares, value=l2) / world_size
        indices = rows.indices.unsqueeze(0)
        table.grad = torch.sparse_coo_tensor(indices, gradient, table.shape, is_coalesced=True)


def _with_shares(table: Tensor, share: float) -> Rows:
    """The gradient's entries as the backward pass leaves them, one a looked up row, with a column of shares."""
    if table.grad is None:
        raise ValueError("a table has no gradient; every step has to look rows up in all tables")
    indices, values = table.grad._indices()[0], table.grad._values()
    return Rows(indices, torch.cat([values, values.new_full((len(values), 1), share)], dim=1))


def _of_all_ranks(tables: Sequence[Tensor], local: Sequence[Rows], world_size: int) -> list[Rows]:
    lengths = torch.tensor([len(rows.indices) for rows in local], device=local[0].indices.device)
    all_lengths = _gathered(lengths, world_size).tolist()
    found = []
    for number, (table, rows) in enumerate(zip(tables, local, strict=True)):
        counts = [lengths[number] for lengths in all_lengths]
        parts = (torch.cat(_unequal(part, counts)) for part in rows)
        found.append(Rows(*parts).added_up(table))
    return found


def _unequal(part: Tensor, counts: Sequence[int]) -> list[Tensor]:
    """Every rank's tensor, which has counts[rank] rows: sent padded, as collectives want equal sizes."""
    padded = part.new_zeros((max(counts), *part.shape[1:]))
    padded[: len(part)] = part
    gathered = _gathered(padded, len(counts))
    return [gathered[rank, :count] for rank, count in enumerate(counts)]


def _gathered(tensor: Tensor, world_size: int) -> Tensor:
    """(...) -> (world_size, ...)"""
    gathered = tensor.new_empty((world_size, *tensor.shape))
    dist.all_gather_into_tensor(gathered.view(-1), tensor.reshape(-1))
    return gathered
