"""How a long step shows itself."""

from __future__ import annotations

import re
from unittest.mock import Mock

import pytest

from nightreel.progress import _TasksColumn, step


def test_leaves_one_plain_line_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with step("train [als]"):
        pass
    said = capsys.readouterr()
    assert said.out == ""
    assert re.fullmatch(r"train \[als\] \.\.\. \d+\.\d s\n", said.err)


def test_spins_on_a_terminal_and_leaves_the_same_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with step("train [als]"):
        pass
    said = capsys.readouterr().err
    assert "\x1b[?25l" in said and "0:00:00" in said
    assert re.search(r"train \[als\] \.\.\. \d+\.\d s\n$", said)


def test_leaves_the_word_to_the_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="no such model"), step("train als"):
        raise ValueError("no such model")
    assert capsys.readouterr().err == ""


def test_shows_the_tasks_that_are_done_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with step("ingest", tasks=lambda: (3, 28)):
        pass
    with step("wait", tasks=lambda: None):
        pass
    said = capsys.readouterr().err
    assert said.count("3/28 tasks") >= 1
    assert "None" not in said


def test_says_how_long_the_rest_of_a_part_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """By hand: 4 of 10 tasks took 8 s, so 6 take 12; then another part begins."""
    at = iter([0.0, 8.0, 9.0])
    monkeypatch.setattr("nightreel.progress.time.monotonic", lambda: next(at))
    counts = iter([(0, 10), (4, 10), (1, 3)])
    column = _TasksColumn(lambda: next(counts))
    shown = [str(column.render(Mock())) for _ in range(3)]
    assert shown == ["0/10 tasks", "4/10 tasks, 0:12 left", "1/3 tasks"]
