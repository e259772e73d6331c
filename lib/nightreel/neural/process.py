"""What the ranks have to find out together."""

from __future__ import annotations

import ctypes
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist
import torch.distributed.nn.functional
from torch import Tensor

from nightreel.errors import BAD_USAGE, ConfigurationError, DataError, NightreelError


@dataclass(frozen=True)
class Ranks:
    """This rank among those that share the rows.

    With a process group of world_size ranks, totals are over all of them, and each method has to be called on every
    rank. Without one, or alone, they are this rank's.
    """

    rank: int
    world_size: int
    device: torch.device

    def __post_init__(self) -> None:
        if not 0 <= self.rank < self.world_size:
            raise ConfigurationError(f"rank {self.rank} of {self.world_size}: must be from 0 to {self.world_size - 1}")
        if self.together and dist.get_world_size() != self.world_size:
            raise ConfigurationError(
                f"world_size {self.world_size}: must be 1 or the process group's, which is {dist.get_world_size()}"
            )

    @property
    def together(self) -> bool:
        return self.world_size > 1 and dist.is_available() and dist.is_initialized()

    def least(self, *values: int) -> list[int]:
        """Of each value the smallest over the ranks."""
        tensor = torch.tensor(values, dtype=torch.int64, device=self.device)
        if self.together:
            dist.all_reduce(tensor, op=dist.ReduceOp.MIN)
        return [int(value) for value in tensor.tolist()]

    def require_all(self, got: int, *, share: int, rows: int, when: str) -> None:
        """Raise DataError, on every rank alike, unless every rank got its share.

        Parameters
        ----------
        got, share : rows that arrived here, and that should have
        rows : that should have arrived over all ranks
        when : the error's first words
        """
        counts = torch.tensor([got, abs(got - share)], dtype=torch.int64, device=self.device)
        if self.together:
            dist.all_reduce(counts)
        arrived, missed = counts.tolist()
        if missed:
            expected = rows if self.together else share
            raise DataError(
                f"{when}: {arrived:,} rows arrived where the footers of the snapshot's files count {expected:,} "
                f"(rank {self.rank} of {self.world_size}: {got:,} of {share:,})"
            )


_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_NEVER = 2**31 - 1


def keep_freed_memory() -> None:
    """Let the process keep what it frees, for the next step's tensors of the same sizes.

    glibc gives blocks of 32 MiB and more back to the system at once and takes them anew, page by page, in the next
    step: with steps of 65,536 rows that is half of the time of a network with a layer of 256 units. The process then
    stays as large as its largest step made it. Other C libraries are left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_MAX, 0)
        mallopt(_TRIM_THRESHOLD, _NEVER)


_FILE = "failure.json"


@contextmanager
def recorded(folder: Path) -> Iterator[None]:
    """Note a fault that a person can mend, of the first rank that has one, before it ends the rank."""
    try:
        yield
    except NightreelError as error:
        unfinished = folder / f".{_FILE}.{os.getpid()}"
        unfinished.write_text(json.dumps({"line": str(error), "exit_code": error.exit_code}), encoding="utf-8")
        unfinished.replace(folder / _FILE)
        raise


def read_failure(folder: Path) -> NightreelError | None:
    """The fault noted in the folder, taken out of it; None where there is none."""
    try:
        noted = json.loads((folder / _FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    (folder / _FILE).unlink()
    kind = ConfigurationError if noted["exit_code"] == BAD_USAGE else NightreelError
    return kind(noted["line"])


# Here, before there is a group: the functions in it have the group of the moment of import as a default, and torch
# imports it with DistributedDataParallel and the optimisers. A group held there outlives destroy_process_group, and its
# threads, met by the end of the interpreter, now and then end the process by SIGABRT.


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
