"""The progress of long steps, on standard error, and the jobs' log."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, ProgressColumn, SpinnerColumn, Task, TextColumn, TimeElapsedColumn
from rich.text import Text

CountTasks = Callable[[], tuple[int, int] | None]
"""How many of Spark's present tasks are done, and how many there are; None if that is unknown."""


@contextmanager
def step(name: str, *, tasks: CountTasks | None = None) -> Iterator[None]:
    """Show `name` while the block runs: a spinner, Spark's tasks and the time on a terminal; one plain line at its end.

    A block that raises leaves no line, because the error has its own. Steps do not nest.
    """
    started = time.monotonic()
    with _spinner(name, tasks):
        yield
    print(f"{name} ... {time.monotonic() - started:.1f} s", file=sys.stderr, flush=True)


class _TasksColumn(ProgressColumn):
    """`12/28 tasks, 0:08 left`; the total changes from one part of a step to the next, and the time is the part's."""

    max_refresh = 0.5

    def __init__(self, count: CountTasks | None) -> None:
        super().__init__()
        self._count = count
        self._total, self._first, self._since = 0, 0, 0.0

    def render(self, task: Task) -> Text:  # noqa: ARG002
        counted = self._count() if self._count else None
        if not counted or not counted[1]:
            return Text("")
        (done, total), now = counted, time.monotonic()
        if total != self._total or done < self._first:
            self._total, self._first, self._since = total, done, now
        left = ""
        if done > self._first:
            seconds = round((now - self._since) / (done - self._first) * (total - done))
            left = f", {seconds // 60}:{seconds % 60:02} left"
        return Text(f"{done}/{total} tasks{left}", style="dim")


def _spinner(name: str, tasks: CountTasks | None) -> AbstractContextManager[object]:
    console = Console(stderr=True)
    if not console.is_terminal:
        return nullcontext()
    shown = TextColumn("{task.description} ...", markup=False)
    columns = (SpinnerColumn(), shown, _TasksColumn(tasks), TimeElapsedColumn())
    progress = Progress(*columns, console=console, transient=True)
    progress.add_task(name, total=None)
    return progress


def log_folder() -> Path:
    """logs/ under the working directory, or the system's temporary folder if that cannot be created."""
    folder = Path.cwd() / "logs"
    try:
        folder.mkdir(exist_ok=True)
    except OSError:
        return Path(tempfile.gettempdir())
    return folder


def log_line(text: str) -> Path | None:
    """Append the time and `text` to the jobs' log; returns the file, or None if none can be written."""
    line = f"{datetime.now(UTC).isoformat(timespec='seconds')} {text.rstrip()}\n"
    for folder in (log_folder(), Path(tempfile.gettempdir())):
        file = folder / "nightreel.log"
        with suppress(OSError), file.open("a", encoding="utf-8") as log:
            log.write(line)
            return file
    return None
