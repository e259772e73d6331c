"""A training whose process is killed in the middle of its third epoch: python killed_training.py SPEC."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nightreel.neural.feed import Batch, Feed, open_feed
from nightreel.neural.training import train
from nightreel.neural.training.spec import read_spec

_OPEN = open_feed


class Killing:
    """A feed that kills its process, as the system does when memory is short: no handler runs."""

    def __init__(self, feed: Feed) -> None:
        self._feed, self.rows, self.steps = feed, feed.rows, feed.steps

    def epoch(self, number: int) -> Iterator[Batch]:
        for step, batch in enumerate(self._feed.epoch(number)):
            if (number, step) == (2, self.steps // 2):
                os.kill(os.getpid(), signal.SIGKILL)
            yield batch

    def close(self) -> None:
        self._feed.close()


def killing(*arguments: Any, **named: Any) -> Feed:
    return Killing(_OPEN(*arguments, **named))


if __name__ == "__main__":
    train.open_feed = killing
    train.train(read_spec(Path(sys.argv[1])))
