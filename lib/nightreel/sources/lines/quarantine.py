"""The names under which sources/records, metadata and own know parts of sources/survey.py."""

from nightreel.sources.survey import BLANKS, BOM, SHOWN_BYTES, SHOWN_CHARACTERS, Rejected, quarantined_text

__all__ = ["BLANKS", "BOM", "SHOWN_BYTES", "SHOWN_CHARACTERS", "Rejected", "quarantined_text"]
