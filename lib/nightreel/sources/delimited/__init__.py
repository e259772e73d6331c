"""Files in which every line is a rating: how such lines are read, whatever stands between their fields."""

from nightreel.sources.delimited.rating_lines import RatingLines
from nightreel.sources.delimited.read import ids, ratings, survey

__all__ = ["RatingLines", "ids", "ratings", "survey"]
