"""KMRD."""
