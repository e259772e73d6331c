"""The feed: a snapshot's Parquet files, read through petastorm, as shuffled batches on the training device."""

from nightreel.neural.feed.feed import Batch, Feed, Mode, every_row, open_feed

__all__ = ["Batch", "Feed", "Mode", "every_row", "open_feed"]
