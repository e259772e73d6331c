"""A trained model's answers in external ids: recommendations, similar items, and predictions for pairs."""

from nightreel.recommend.answers import recommend_for_all, score_pairs, similar_items
from nightreel.recommend.pairs import read_pairs
from nightreel.recommend.prediction_files import write_csv, write_prize_format

__all__ = ["read_pairs", "recommend_for_all", "score_pairs", "similar_items", "write_csv", "write_prize_format"]
