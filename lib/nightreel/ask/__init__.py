"""Answers for one person at a time from the Delta tables, without Spark: the store and the commands on it."""

from nightreel.ask.store import Store, open_store

__all__ = ["Store", "open_store"]
