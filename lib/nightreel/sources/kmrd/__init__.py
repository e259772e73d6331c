"""KMRD, ratings of films by users of a Korean portal: its ratings, and its films with genres, casts and countries."""

from nightreel.sources.kmrd.dataset import KMRD

__all__ = ["KMRD"]
