"""Generated dumps with planted tastes: for the demo, for tests, and for measuring at any size."""

from nightreel.sample.generate import Dump, Format, Layout, generate
from nightreel.sample.titles import Genre, genre_of

__all__ = ["Dump", "Format", "Genre", "Layout", "generate", "genre_of"]
