"""Where the detail goes that a person need not see: a file beside their work."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path


def log_folder() -> Path:
    """logs/ under the working directory, or the system's temporary folder where that cannot be written."""
    folder = Path.cwd() / "logs"
    try:
        folder.mkdir(exist_ok=True)
    except OSError:
        return Path(tempfile.gettempdir())
    return folder


def log_line(text: str) -> Path:
    """Append `text`, with the time, to the jobs' log; returns the file."""
    file = log_folder() / "nightreel.log"
    with file.open("a", encoding="utf-8") as log:
        log.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} {text.rstrip()}\n")
    return file
