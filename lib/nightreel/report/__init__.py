"""What a night or a comparison came to: as text for a terminal, as files and as a page."""

from nightreel.report.comparison_text import table as comparison_table
from nightreel.report.comparison_text import win_rate_table, write_comparison, write_fragment
from nightreel.report.night import NightReport, UserPicture, gather
from nightreel.report.night_text import render, show

__all__ = [
    "NightReport",
    "UserPicture",
    "comparison_table",
    "gather",
    "render",
    "show",
    "win_rate_table",
    "write_comparison",
    "write_fragment",
]
