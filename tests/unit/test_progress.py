"""How a long step shows itself."""

from __future__ import annotations

import re

import pytest

from nightreel.progress import step


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
