"""How a step that takes a while shows that it is alive, and afterwards how long it took: on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


@contextmanager
def step(name: str, *, quiet: bool = False) -> Iterator[None]:
    """Show `name` while the block runs: a spinner and the time on a terminal, and one plain line at its end.

    A block that raises leaves no line: the error's own line is what is to be seen. Steps do not nest.
    """
    if quiet:
        yield
        return
    started = time.monotonic()
    with _spinner(name):
        yield
    print(f"{name} ... {time.monotonic() - started:.1f} s", file=sys.stderr, flush=True)


def _spinner(name: str) -> AbstractContextManager[object]:
    console = Console(stderr=True)
    if not console.is_terminal:
        return nullcontext()
    columns = (SpinnerColumn(), TextColumn("{task.description} ...", markup=False), TimeElapsedColumn())
    progress = Progress(*columns, console=console, transient=True)
    progress.add_task(name, total=None)
    return progress
