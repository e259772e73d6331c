"""How good a trained model is on held-out rows: rating and full-catalogue ranking metrics."""

from nightreel.evaluate.held_out import evaluate
from nightreel.evaluate.ranking import catalogue_metrics, ranking_metrics
from nightreel.evaluate.rating import rating_metrics

__all__ = ["catalogue_metrics", "evaluate", "ranking_metrics", "rating_metrics"]
