"""Least squares over blocks: Spark ML's ALS."""
