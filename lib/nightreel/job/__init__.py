"""What jobs share: their session and settings, exit codes, the closing summary, and one line for any fault."""

from nightreel.job.job import Job, Summary, run

__all__ = ["Job", "Summary", "run"]
