"""A user's own ratings or events, with columns of any names: CSV, JSON lines, Parquet, Delta tables."""

from nightreel.sources.own.ratings import OwnData

__all__ = ["OwnData"]
