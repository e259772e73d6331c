"""The feed: a snapshot's Parquet files, read through petastorm, as shuffled batches on the training device."""

from nightreel.neural.feed.batch import Batch, Feed
from nightreel.neural.feed.feed import Mode, open_feed

__all__ = ["Batch", "Feed", "Mode", "open_feed"]
