"""One process among the ranks of a training, and sums and minima over all ranks."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist

# Imported before there is a group: its functions take the group of the moment of import as a default, and torch imports
# it with DistributedDataParallel and the optimisers. A group held there outlives destroy_process_group, and its
# threads, met by the end of the interpreter, now and then end the process by SIGABRT.
import torch.distributed.nn.functional
from torch import Tensor

from nightreel.errors import ConfigurationError


@dataclass(frozen=True)
class Process:
    """One rank of those that share the rows.

    rank : 0 .. world_size - 1; rank 0 prints and writes
    world_size : number of ranks
    device : where this rank computes

    `total` and `minimum` reduce over the process group, if there is one, and must then be called on every rank, all of
    which get the same. Without a group they are this rank's values.

    Raises
    ------
    ConfigurationError : rank out of range, or world_size is neither 1 nor the process group's
    """

    rank: int
    world_size: int
    device: torch.device

    def __post_init__(self) -> None:
        if not 0 <= self.rank < self.world_size:
            raise ConfigurationError(f"rank {self.rank} of {self.world_size}: must be from 0 to {self.world_size - 1}")
        if self.in_group and dist.get_world_size() != self.world_size:
            raise ConfigurationError(
                f"world_size {self.world_size}: must be 1 or the process group's, which is {dist.get_world_size()}"
            )

    @property
    def first(self) -> bool:
        return self.rank == 0

    @property
    def in_group(self) -> bool:
        return self.world_size > 1 and dist.is_initialized()

    def total(self, *values: Tensor | float) -> list[float]:
        """Each value summed over the ranks, in float64."""
        return self._reduced(values, dist.ReduceOp.SUM)

    def minimum(self, *values: Tensor | float) -> list[float]:
        """The smallest of each value over the ranks, in float64."""
        return self._reduced(values, dist.ReduceOp.MIN)

    def _reduced(self, values: tuple[Tensor | float, ...], how: dist.ReduceOp.RedOpType) -> list[float]:
        tensor = torch.stack([torch.as_tensor(value, dtype=torch.float64, device=self.device) for value in values])
        if self.in_group:
            dist.all_reduce(tensor, op=how)
        return [float(value) for value in tensor.tolist()]


@contextmanager
def process_group(device: str) -> Iterator[Process]:
    """Join the processes that torchrun or TorchDistributor started; a process started alone needs no group.

    gloo on the CPU, nccl on GPUs, of which each process takes the one of its local rank. The group ends with the block;
    no module wrapped for it may outlive it, or it keeps the group's threads alive.

    Parameters
    ----------
    device : auto, cpu or cuda

    Raises
    ------
    ConfigurationError : cuda where there is no GPU, or fewer than processes
    """
    alone = {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0"}
    rank, world_size, local_rank = (int(os.environ.get(name, number)) for name, number in alone.items())
    chosen = _device(device, local_rank)
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    if world_size > 1:
        dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield Process(rank, world_size, chosen)
    except BaseException:
        if world_size > 1:
            _leak(dist.group.WORLD)
        raise
    finally:
        if world_size > 1:
            dist.destroy_process_group()


def _leak(group: object) -> None:
    """Never free the group, so that a rank that fails ends at once.

    The exception's frames hold the last references to it. Freeing it waits for its threads and holds Python's lock; a
    thread that is just dropping the failed collective waits for the lock. Now and then both wait for ever, and every
    other rank with them.
    """
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(group))


def _device(wanted: str, local_rank: int) -> torch.device:
    gpus = torch.cuda.device_count()
    if wanted == "cpu" or (wanted == "auto" and not gpus):
        return torch.device("cpu")
    if local_rank >= gpus:
        raise ConfigurationError(
            f"device = {wanted}: process {local_rank} of this machine has no GPU, as torch sees {gpus}; "
            "start as many processes as there are GPUs, or set device = cpu"
        )
    return torch.device("cuda", local_rank)


def keep_freed_memory() -> None:
    """Let the process keep what it frees, for the next step's tensors of the same sizes.

    glibc returns blocks of 32 MiB and more to the system at once and takes them anew, page by page, in the next step:
    with steps of 65,536 rows that is half of the time of a network with a layer of 256 units. The process then stays as
    large as its largest step made it. Other C libraries are left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(-4, 0)  # M_MMAP_MAX: no block of its own for a large tensor
        mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD: nothing goes back
