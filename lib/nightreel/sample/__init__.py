"""Generated dumps with planted tastes: for the demo, for tests, and for measuring at any size."""

from nightreel.sample.netflix import Dump, generate
from nightreel.sample.population import planted_tastes
from nightreel.sample.text import Layout
from nightreel.sample.titles import Genre, genre_of

__all__ = ["Dump", "Genre", "Layout", "generate", "genre_of", "planted_tastes"]
