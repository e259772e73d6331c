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


def log_line(text: str) -> Path | None:
    """Append `text`, with the time, to the jobs' log; returns the file, or None where none can be written."""
    line = f"{datetime.now(UTC).isoformat(timespec='seconds')} {text.rstrip()}\n"
    for folder in (log_folder(), Path(tempfile.gettempdir())):
        file = folder / "nightreel.log"
        try:
            with file.open("a", encoding="utf-8") as log:
                log.write(line)
        except OSError:
            continue
        return file
    return None
