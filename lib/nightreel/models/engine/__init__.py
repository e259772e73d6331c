"""Answers written once for all forms: top-N and similar items."""
