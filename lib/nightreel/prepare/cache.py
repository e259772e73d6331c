"""Intermediate frames that are read more than once, persisted until they are released."""

from __future__ import annotations

from types import TracebackType

from pyspark.sql import DataFrame


class Cache:
    """Persists frames and unpersists all of them at once; a context manager."""

    def __init__(self) -> None:
        self._frames: list[DataFrame] = []

    def persist(self, frame: DataFrame) -> DataFrame:
        """`frame`, computed at most once from here on; memory first, then the workers' disks."""
        self._frames.append(frame.persist())
        return self._frames[-1]

    def release(self) -> None:
        while self._frames:
            self._frames.pop().unpersist()

    def __enter__(self) -> Cache:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
