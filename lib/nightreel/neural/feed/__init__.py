"""The feed: a snapshot's Parquet files, read through petastorm, as shuffled batches on the training device."""

from nightreel.neural.feed.batch import Batch, Feed

__all__ = ["Batch", "Feed"]
