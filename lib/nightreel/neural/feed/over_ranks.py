"""What the ranks have to find out together."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.distributed as dist

from nightreel.errors import ConfigurationError, DataError


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
