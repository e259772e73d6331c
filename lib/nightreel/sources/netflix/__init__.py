"""The Netflix Prize's files: ratings, titles, and the pairs of probe.txt and qualifying.txt."""

from nightreel.sources.netflix.dump import NetflixDump
from nightreel.sources.netflix.layout import find_pairs
from nightreel.sources.netflix.pairs import Pairs, read_pairs

__all__ = ["NetflixDump", "Pairs", "find_pairs", "read_pairs"]
