"""The Netflix Prize's files: ratings, titles, and the pairs of probe.txt and qualifying.txt."""

from nightreel.sources.netflix.lines import DumpLines
from nightreel.sources.netflix.source import NetflixDump, find_pairs

__all__ = ["DumpLines", "NetflixDump", "find_pairs"]
