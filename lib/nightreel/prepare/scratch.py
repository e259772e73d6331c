"""Intermediate frames that are read more than once, held until released."""

from __future__ import annotations

from types import TracebackType

from pyspark.sql import DataFrame


class Scratch:
    """Persists frames and lets go of all of them at once; a context manager."""

    def __init__(self) -> None:
        self._kept: list[DataFrame] = []

    def keep(self, frame: DataFrame) -> DataFrame:
        """`frame`, computed at most once from here on; memory first, then the workers' disks."""
        self._kept.append(frame.persist())
        return self._kept[-1]

    def release(self) -> None:
        while self._kept:
            self._kept.pop().unpersist()

    def __enter__(self) -> Scratch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
