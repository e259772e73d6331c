"""Frames that are read more than once, persisted until their context ends."""

from __future__ import annotations

from contextlib import ExitStack

from pyspark.sql import DataFrame


class Cache(ExitStack):
    """Unpersists all frames it persisted when its context ends."""

    def persist(self, frame: DataFrame) -> DataFrame:
        """`frame`, computed at most once from here on; memory first, then the workers' disks."""
        self.callback(frame.unpersist)
        return frame.persist()
