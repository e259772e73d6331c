"""What all jobs share: session, settings, exit codes, the closing summary, and one line for any error."""

from nightreel.job.job import Job, Summary, run, start

__all__ = ["Job", "Summary", "run", "start"]
