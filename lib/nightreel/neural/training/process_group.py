"""The processes that train together."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist

# Here, before there is a group: the functions in it have the group of the moment of import as a default, and torch
# imports it with DistributedDataParallel and the optimisers. A group held there outlives destroy_process_group, and its
# threads, met by the end of the interpreter, now and then end the process by SIGABRT.
import torch.distributed.nn.functional
from torch import Tensor

from nightreel.errors import ConfigurationError


@dataclass(frozen=True)
class Process:
    """This process among those of the group.

    rank : 0 .. world_size - 1; rank 0 speaks and writes
    world_size : number of processes
    device : where this one computes
    """

    rank: int
    world_size: int
    device: torch.device

    @property
    def first(self) -> bool:
        return self.rank == 0

    def total(self, *values: Tensor | float) -> list[float]:
        """Each value summed over the ranks, in float64. Every rank has to call it; all get the same."""
        return self._reduced(values, dist.ReduceOp.SUM)

    def least(self, *values: Tensor | float) -> list[float]:
        """Of each value the smallest over the ranks, in float64. Every rank has to call it; all get the same."""
        return self._reduced(values, dist.ReduceOp.MIN)

    def _reduced(self, values: tuple[Tensor | float, ...], how: dist.ReduceOp.RedOpType) -> list[float]:
        tensor = torch.stack([torch.as_tensor(value, dtype=torch.float64, device=self.device) for value in values])
        dist.all_reduce(tensor, op=how)
        return [float(value) for value in tensor.tolist()]


@contextmanager
def process_group(device: str) -> Iterator[Process]:
    """Join the processes that torchrun or TorchDistributor started, or be a group of one; leave whatever happens.

    gloo on the CPU, nccl on GPUs, of which each process takes the one of its local rank. No module that was wrapped for
    the group should be left at its end: it keeps the group's threads alive.

    Parameters
    ----------
    device : auto, cpu or cuda

    Raises
    ------
    ConfigurationError : cuda where there is no GPU, or fewer than processes
    """
    rank, world_size, local_rank = (int(os.environ.get(name, least)) for name, least in _VARIABLES.items())
    chosen = _device(device, local_rank)
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    # Without the variables of torchrun there is no one to meet: a store within this process is enough.
    store = None if "WORLD_SIZE" in os.environ else dist.HashStore()  # type: ignore[attr-defined]
    dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo", store=store, rank=rank, world_size=world_size)
    try:
        yield Process(rank, world_size, chosen)
    finally:
        dist.destroy_process_group()


_VARIABLES = {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0"}


def _device(wanted: str, local_rank: int) -> torch.device:
    there = torch.cuda.device_count()
    if wanted == "cpu" or (wanted == "auto" and not there):
        return torch.device("cpu")
    if local_rank >= there:
        raise ConfigurationError(
            f"device = {wanted}: process {local_rank} of this machine has no GPU, as torch sees {there}; "
            "start as many processes as there are GPUs, or set device = cpu"
        )
    return torch.device("cuda", local_rank)
