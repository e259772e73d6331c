"""Rating and full-catalogue ranking metrics of trained models on held-out rows."""

from nightreel.evaluate.held_out import HeldOut, evaluate, hold_out
from nightreel.evaluate.metrics import catalogue_metrics, ranking_metrics, rating_metrics

__all__ = ["HeldOut", "catalogue_metrics", "evaluate", "hold_out", "ranking_metrics", "rating_metrics"]
