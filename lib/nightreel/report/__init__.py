"""The summary of a night, gathered from its tables and printed as text."""

from nightreel.report.night import Liked, ModelScores, NightReport, Recommended, UserPicture, gather
from nightreel.report.night_text import render, show

__all__ = ["Liked", "ModelScores", "NightReport", "Recommended", "UserPicture", "gather", "render", "show"]
