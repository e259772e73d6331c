"""Rating and full-catalogue ranking metrics on held-out rows, and the cross-validated comparison of many models."""

from nightreel.evaluate.comparison import Candidate, candidates, with_fold
from nightreel.evaluate.cross_validation import Comparing, Comparison, compare
from nightreel.evaluate.held_out import HeldOut, evaluate, hold_out
from nightreel.evaluate.metrics import catalogue_metrics, ranking_metrics, rating_metrics, shown_length
from nightreel.evaluate.paired import Paired, paired_errors, paired_lists

__all__ = [
    "Candidate",
    "Comparing",
    "Comparison",
    "HeldOut",
    "Paired",
    "candidates",
    "catalogue_metrics",
    "compare",
    "evaluate",
    "hold_out",
    "paired_errors",
    "paired_lists",
    "ranking_metrics",
    "rating_metrics",
    "shown_length",
    "with_fold",
]
