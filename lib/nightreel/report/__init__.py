"""What a person reads when a night is over."""

from nightreel.report.night import Liked, ModelScores, NightReport, Recommended, UserPicture, gather
from nightreel.report.night_text import render, show

__all__ = ["Liked", "ModelScores", "NightReport", "Recommended", "UserPicture", "gather", "render", "show"]
