"""MovieLens: its ratings and films in all the forms it was published in, and the folds that 100K came with."""

from nightreel.sources.movielens.dataset import MovieLens
from nightreel.sources.movielens.folds import PublishedPairs, find_fold, published_pairs

__all__ = ["MovieLens", "PublishedPairs", "find_fold", "published_pairs"]
