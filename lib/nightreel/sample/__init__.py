"""Generated dumps with planted tastes: for the demo, for tests, and for measuring at any size."""

from nightreel.sample.generate import generate
from nightreel.sample.language.titles import Genre, genre_of
from nightreel.sample.request import LAYOUTS, Dump, Layout
from nightreel.sample.world.audience import planted_tastes
from nightreel.sample.world.crowds import CROWDS, Format

__all__ = ["CROWDS", "LAYOUTS", "Dump", "Format", "Genre", "Layout", "generate", "genre_of", "planted_tastes"]
