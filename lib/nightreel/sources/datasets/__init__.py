"""Datasets known by the names of their files: MovieLens and KMRD."""
