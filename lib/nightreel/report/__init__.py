"""The summary of a night, gathered from its tables and printed as text."""

from nightreel.report.night import NightReport, UserPicture, gather
from nightreel.report.night_text import render, show

__all__ = ["NightReport", "UserPicture", "gather", "render", "show"]
