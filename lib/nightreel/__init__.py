"""nightreel: recommenders retrained every night, from raw ratings to Delta tables."""

__version__ = "0.1.0"
