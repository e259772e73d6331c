"""The steps of a night, each runnable alone as a job, and the night that runs them in order and resumes."""

from nightreel.nightly.comparing import about, check_comparison, comparison, tuned, won
from nightreel.nightly.night import run_night
from nightreel.nightly.reproducing import Reproduced, reproduce
from nightreel.nightly.steps import RATINGS, chosen_run, chosen_runs, evaluate, ingest, prepare, recommend, score
from nightreel.nightly.training import train

__all__ = [
    "RATINGS",
    "Reproduced",
    "about",
    "check_comparison",
    "chosen_run",
    "chosen_runs",
    "comparison",
    "evaluate",
    "ingest",
    "prepare",
    "recommend",
    "reproduce",
    "run_night",
    "score",
    "train",
    "tuned",
    "won",
]
